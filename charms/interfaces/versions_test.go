package interfaces_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
)

// Two sides of a relation may be one version apart while applications are
// upgraded one after the other.
func TestNeighbouringVersionsUnderstandEachOther(t *testing.T) {
	for _, name := range interfaces.Names() {
		t.Run(name, func(t *testing.T) {
			schema, _ := interfaces.Of(name)
			if schema.Version < 1 {
				t.Fatal("the schema has no version")
			}
			if (schema.Version > 1) != (schema.Previous != nil) {
				t.Fatalf("version %d: the one before is missing", schema.Version)
			}
			if schema.Previous != nil {
				if err := apart(*schema.Previous, schema); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestAChangeThatBreaksANeighbourIsSeen(t *testing.T) {
	side := func(keys ...interfaces.Key) interfaces.Schema {
		return interfaces.Schema{Version: 1, Provider: interfaces.Side{Application: keys}}
	}
	next := func(s interfaces.Schema) interfaces.Schema { s.Version = 2; return s }
	a, required := interfaces.Key{Name: "a"}, interfaces.Key{Name: "a", Required: true}
	for _, tt := range []struct {
		name          string
		before, after interfaces.Schema
		breaks        bool
	}{
		{"a key may come", side(), next(side(a)), false},
		{"a key that was required stays", side(required), next(side()), true},
		{"a key that was required stays required", side(required), next(side(a)), true},
		{"no new key is required at once", side(), next(side(required)), true},
		{"a key may become required no sooner than all write it", side(a), next(side(required)), true},
		{"versions rise by one", side(), side(), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := apart(tt.before, tt.after); (err != nil) != tt.breaks {
				t.Fatal(err)
			}
		})
	}
}

// apart says why bags of one version cannot be read by the other.
func apart(before, after interfaces.Schema) error {
	if after.Version != before.Version+1 {
		return fmt.Errorf("version %d follows %d", after.Version, before.Version)
	}
	for _, pair := range [][2][]interfaces.Key{
		{before.Provider.Application, after.Provider.Application},
		{before.Provider.Unit, after.Provider.Unit},
		{before.Requirer.Application, after.Requirer.Application},
		{before.Requirer.Unit, after.Requirer.Unit},
	} {
		old, now := required(pair[0]), required(pair[1])
		if !slices.Equal(old, now) {
			return fmt.Errorf("required keys were %v and are %v: a reader of the other version would miss one", old, now)
		}
	}
	return nil
}

func required(keys []interfaces.Key) (names []string) {
	for _, k := range keys {
		if k.Required {
			names = append(names, k.Name)
		}
	}
	slices.Sort(names)
	return names
}
