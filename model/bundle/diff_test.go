package bundle_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// perform makes the changes on a copy of a bundle, as a model would.
func perform(b *bundle.Bundle, changes []bundle.Change) *bundle.Bundle {
	next := &bundle.Bundle{Series: b.Series, Applications: slices.Clone(b.Applications), Machines: slices.Clone(b.Machines), Relations: slices.Clone(b.Relations)}
	edit := func(name model.ApplicationName, f func(*bundle.Application)) {
		i := slices.IndexFunc(next.Applications, func(a bundle.Application) bool { return a.Name == name })
		f(&next.Applications[i])
	}
	for _, change := range changes {
		switch c := change.(type) {
		case bundle.AddMachine:
			next.Machines = append(next.Machines, c.Machine)
		case bundle.AddApplication:
			next.Applications = append(next.Applications, c.Application)
		case bundle.SetCharm:
			edit(c.Application, func(a *bundle.Application) {
				a.Charm = c.To
				if c.Channel != "" {
					a.Channel = c.Channel
				}
			})
		case bundle.SetConfig:
			edit(c.Application, func(a *bundle.Application) {
				a.Options = maps.Clone(a.Options)
				if a.Options == nil {
					a.Options = charm.Settings{}
				}
				maps.Copy(a.Options, c.Set)
				for _, name := range c.Reset {
					delete(a.Options, name)
				}
			})
		case bundle.SetAnnotations:
			edit(c.Application, func(a *bundle.Application) {
				a.Annotations = maps.Clone(a.Annotations)
				if a.Annotations == nil {
					a.Annotations = map[string]string{}
				}
				maps.Copy(a.Annotations, c.Set)
				for _, name := range c.Remove {
					delete(a.Annotations, name)
				}
			})
		case bundle.SetConstraints:
			edit(c.Application, func(a *bundle.Application) { a.Constraints = &c.To })
		case bundle.SetTrust:
			edit(c.Application, func(a *bundle.Application) { a.Trust = &c.Trust })
		case bundle.SetExposed:
			edit(c.Application, func(a *bundle.Application) { a.Expose = &c.Exposed })
		case bundle.Scale:
			edit(c.Application, func(a *bundle.Application) { a.Units = &c.To })
		case bundle.AddRelation:
			next.Relations = append(next.Relations, c.Relation)
		case bundle.RemoveRelation:
			next.Relations = slices.DeleteFunc(next.Relations, func(r bundle.Relation) bool { return c.Relation.Covers(r) })
		case bundle.RemoveApplication:
			next.Applications = slices.DeleteFunc(next.Applications, func(a bundle.Application) bool { return a.Name == c.Application })
			next.Relations = slices.DeleteFunc(next.Relations, func(r bundle.Relation) bool {
				return r[0].Application == c.Application || r[1].Application == c.Application
			})
		case bundle.RemoveMachine:
			next.Machines = slices.DeleteFunc(next.Machines, func(m bundle.Machine) bool { return m.Name == c.Machine })
		default:
			panic(fmt.Sprintf("unknown change %T", c))
		}
	}
	return next
}

// declared writes what a model holds, the unsaid as zero.
func declared(b *bundle.Bundle, units map[model.ApplicationName]int) []string {
	var lines []string
	for _, a := range b.Applications {
		count := a.UnitCount()
		if n, said := units[a.Name]; said {
			count = n
		}
		lines = append(lines, fmt.Sprintf("%s %s %d %v %v %+v", a.Name, a.Charm, count, deref(a.Expose), deref(a.Trust), deref(a.Constraints)))
		for name, v := range a.Options {
			lines = append(lines, fmt.Sprintf("%s option %s %v %q", a.Name, name, v.Kind(), v))
		}
		for name, v := range a.Annotations {
			lines = append(lines, fmt.Sprintf("%s annotation %s %q", a.Name, name, v))
		}
	}
	for _, r := range b.Relations {
		ends := []string{r[0].String(), r[1].String()}
		slices.Sort(ends)
		lines = append(lines, strings.Join(ends, " "))
	}
	slices.Sort(lines)
	return lines
}

func TestTheDifferenceMadeIsTheBundleDesired(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		current, desired := bundles().Draw(t, "current"), bundles().Draw(t, "desired")
		made := perform(current, bundle.Diff(current, desired, true))
		unsaid := map[model.ApplicationName]int{}
		for _, a := range made.Applications {
			if want, _ := desired.Application(a.Name); want.Units == nil {
				unsaid[a.Name] = a.UnitCount()
			}
		}
		if diff := cmp.Diff(declared(desired, unsaid), declared(made, unsaid)); diff != "" {
			t.Errorf("made is not desired (-desired +made):\n%s", diff)
		}
		for _, m := range desired.Machines {
			if _, ok := made.Machine(m.Name); !ok {
				t.Errorf("machine %s is missing", m.Name)
			}
		}
	})
}

func TestASecondDifferenceIsEmpty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		current, desired, prune := bundles().Draw(t, "current"), bundles().Draw(t, "desired"), rapid.Bool().Draw(t, "prune")
		made := perform(current, bundle.Diff(current, desired, prune))
		if again := bundle.Diff(made, desired, prune); len(again) != 0 {
			t.Errorf("still to do: %v", again)
		}
	})
}

func TestWithoutPruneNothingIsTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		current, desired := bundles().Draw(t, "current"), bundles().Draw(t, "desired")
		for _, change := range bundle.Diff(current, desired, false) {
			switch c := change.(type) {
			case bundle.RemoveApplication, bundle.RemoveMachine, bundle.RemoveRelation:
				t.Errorf("taken: %v", c)
			case bundle.SetConfig:
				if len(c.Reset) > 0 {
					t.Errorf("taken: %v", c)
				}
			case bundle.SetAnnotations:
				if len(c.Remove) > 0 {
					t.Errorf("taken: %v", c)
				}
			}
		}
	})
}

func TestEqualBundlesDoNotDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := bundles().Draw(t, "bundle")
		if changes := bundle.Diff(b, b, rapid.Bool().Draw(t, "prune")); len(changes) != 0 {
			t.Errorf("%v", changes)
		}
	})
}

func TestTheOrderWithinBundlesDoesNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		current, desired := bundles().Draw(t, "current"), bundles().Draw(t, "desired")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		shuffled := &bundle.Bundle{Applications: slices.Clone(desired.Applications), Machines: slices.Clone(desired.Machines), Relations: slices.Clone(desired.Relations)}
		random.Shuffle(len(shuffled.Applications), func(i, j int) {
			shuffled.Applications[i], shuffled.Applications[j] = shuffled.Applications[j], shuffled.Applications[i]
		})
		random.Shuffle(len(shuffled.Machines), func(i, j int) {
			shuffled.Machines[i], shuffled.Machines[j] = shuffled.Machines[j], shuffled.Machines[i]
		})
		for i, r := range shuffled.Relations {
			shuffled.Relations[i] = bundle.Relation{r[1], r[0]}
		}
		slices.Reverse(shuffled.Relations)
		want, got := bundle.Diff(current, desired, true), bundle.Diff(current, shuffled, true)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(charm.Value{})); diff != "" {
			t.Error(diff)
		}
	})
}

func TestChangesReadAsAPlan(t *testing.T) {
	tests := map[string]struct {
		current, desired string
		prune            bool
		want             []string
	}{
		"a new model": {
			desired: "applications: {pg: {charm: postgresql, num_units: 3, to: [0]}, app: {charm: ./app, num_units: 1}}\nmachines: {0: , 10: , 2: }\nrelations: [[pg, app]]",
			want:    []string{"add machine 0", "add machine 2", "add machine 10", "add application app (charm ./app, units 1)", "add application pg (charm postgresql, units 3)", "relate app and pg"},
		},
		"each kind of change, in its order": {
			current: "applications: {a: {charm: a, num_units: 3, options: {x: 1, y: 2}}}",
			desired: "applications: {a: {charm: b, channel: edge, num_units: 5, options: {x: 2, z: t}, constraints: cores=2, trust: true, expose: true, annotations: {k: v}}}",
			want: []string{
				"change charm of a from a to b, channel edge", `change constraints of a from "" to "cores=2"`, `configure a: x="2", z="t"`,
				"trust a", "annotate a: k", "scale a from 3 to 5 units", "expose a",
			},
		},
		"what is not said stays": {
			current: "applications: {a: {charm: a, num_units: 3, channel: edge, options: {x: 1}, constraints: cores=2, trust: true, expose: true}, b: {charm: b}}\nrelations: [[a, b]]",
			desired: "applications: {a: {charm: a}}",
		},
		"what is not said goes with prune, but for units": {
			current: "applications: {a: {charm: a, num_units: 3, channel: edge, options: {x: 1}, trust: true, expose: true}, b: {charm: b}}\nmachines: {7: }\nrelations: [[a, b]]",
			desired: "applications: {a: {charm: a}}", prune: true,
			want: []string{"configure a: x to its default", "withdraw trust from a", "unexpose a", "remove application b", "remove machine 7"},
		},
		"what is said to be off is turned off": {
			current: "applications: {a: {charm: a, trust: true, expose: true}}",
			desired: "applications: {a: {charm: a, trust: false, expose: false}}",
			want:    []string{"withdraw trust from a", "unexpose a"},
		},
		"a relation without endpoints is there with any": {
			current: "applications: {a: {charm: a}, b: {charm: b}}\nrelations: [['b:x', 'a:y']]",
			desired: "applications: {a: {charm: a}, b: {charm: b}}\nrelations: [[a, b]]", prune: true,
		},
		"a relation with another endpoint is another": {
			current: "applications: {a: {charm: a}, b: {charm: b}}\nrelations: [['b:x', 'a:y']]",
			desired: "applications: {a: {charm: a}, b: {charm: b}}\nrelations: [['a:z', b]]", prune: true,
			want: []string{"relate a:z and b", "remove relation of a:y and b:x"},
		},
		"a machine with a unit that stays is kept": {
			current: "applications: {a: {charm: a, num_units: 1, to: [4]}}\nmachines: {4: }",
			desired: "applications: {a: {charm: a, num_units: 1}}", prune: true,
		},
		"units do not move": {
			current: "applications: {a: {charm: a, num_units: 1, to: [4]}}\nmachines: {4: }",
			desired: "applications: {a: {charm: a, num_units: 1, to: [new]}}",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			current := &bundle.Bundle{}
			if test.current != "" {
				current = parse(t, test.current)
			}
			var got []string
			for _, c := range bundle.Diff(current, parse(t, test.desired), test.prune) {
				got = append(got, c.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parse(t testing.TB, text string) *bundle.Bundle {
	t.Helper()
	b, _, err := bundle.Parse("b.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
