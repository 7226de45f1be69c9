package fake

import (
	"errors"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
)

func TestFakePassesTheSuite(t *testing.T) {
	var host Host
	providertest.Run(t, providertest.Harness{
		Open: func(_ *testing.T, install string) providertest.Machines { return Open(&host, install) },
		Read: func(_ *testing.T, p providertest.Machines, i provider.Instance, path string) string {
			return p.(*Provider).File(i.UUID, path)
		},
		Write: func(t *testing.T, p providertest.Machines, i provider.Instance, path, content string) {
			if err := p.(*Provider).SetFile(i.UUID, path, content); err != nil {
				t.Fatal(err)
			}
		},
		Steps: []string{"record", "start"},
		Crash: func(p providertest.Machines, step string) {
			p.(*Provider).Fail = func(s, _ string) error {
				if s == step {
					return errors.New("crash")
				}
				return nil
			}
		},
	})
}

func TestAnIsolatedMachineIsCutOffUntilItIsHealed(t *testing.T) {
	var host Host
	p := Open(&host, "one")
	if _, err := p.Create(t.Context(), provider.Spec{UUID: "m", Hostname: "m"}); err != nil {
		t.Fatal(err)
	}
	if err := p.Isolate(t.Context(), "m"); err != nil || !p.Isolated("m") {
		t.Errorf("isolate gave %v, isolated is %v", err, p.Isolated("m"))
	}
	if err := p.Heal(t.Context(), "m"); err != nil || p.Isolated("m") {
		t.Errorf("heal gave %v, isolated is %v", err, p.Isolated("m"))
	}
}
