package sdktest

import (
	"errors"
	"fmt"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// Lint reports what can be known to be wrong with a charm without a scenario:
// metadata that do not parse or name another charm, actions without code for
// them, options without a description, a first answer that is not valid or
// that depends on the order of a map.
func Lint(b sdk.Builtin) error {
	meta, err := charm.Read(string(b.Name), b.Files)
	if err != nil {
		return err
	}
	var errs []error
	complain := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("charm %s: "+format+": %w", append(append([]any{b.Name}, args...), model.ErrInvalid)...))
	}
	if meta.Meta.Name != b.Name {
		complain("charm.yaml names it %q", meta.Meta.Name)
	}
	if meta.Meta.Summary == "" {
		complain("charm.yaml has no summary")
	}
	if _, acts := b.Charm.(sdk.ActionRunner); len(meta.Actions) > 0 && !acts {
		complain("charm.yaml declares actions, and it has no RunAction")
	}
	for _, o := range meta.Config.Options {
		if o.Description == "" {
			complain("option %s has no description", o.Name)
		}
	}
	quiet := &firstAnswer{}
	quiet.run(b)
	for _, failure := range quiet.failures {
		complain("its first answer: %s", failure)
	}
	return errors.Join(errs...)
}

// firstAnswer runs a unit's first moments and collects what fails.
type firstAnswer struct{ failures []string }

// stopped ends a run that has failed.
type stopped struct{}

func (f *firstAnswer) run(b sdk.Builtin) {
	defer func() {
		if v := recover(); v != nil && v != (stopped{}) {
			panic(v)
		}
	}()
	m := New(f, b, Scenario{})
	m.Lead(-1)
	want, in := m.ask(m.Unit(0))
	for range 20 {
		if again := b.Charm.Reconcile(in); encode(again) != encode(want) {
			f.Fatalf("asked the same again it answers differently: does it depend on the order of a map?")
		}
	}
}

// Helper implements T.
func (f *firstAnswer) Helper() {}

// Logf implements T.
func (f *firstAnswer) Logf(string, ...any) {}

// Name implements T.
func (f *firstAnswer) Name() string { return "lint" }

// Fatalf implements T.
func (f *firstAnswer) Fatalf(format string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
	panic(stopped{})
}
