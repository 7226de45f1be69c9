package state

import (
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Charm is the exact artifact of a charm and what it declares. A row never
// changes.
type Charm struct {
	Stamp
	Model    model.ModelName `json:"model"`
	Name     model.CharmName `json:"name"`
	Hash     string          `json:"hash"`     // of the artifact
	Artifact string          `json:"artifact"` // where it is, as charms/host understands
	Declared charm.Charm     `json:"declared"`
	Shared   []effect.Shared `json:"shared,omitempty"`
}

var charmSchema = &schema[Charm]{
	table: tables.Charm,
	key:   func(c *Charm) Key { return charmKey(c.Model, c.Name, c.Hash) },
	stamp: func(c *Charm) *Stamp { return &c.Stamp },
}

func charmKey(m model.ModelName, name model.CharmName, hash string) Key {
	return Key{tables.Charm, m, string(name) + "@" + hash}
}

// Charm returns a charm that a model knows.
func (s State) Charm(m model.ModelName, name model.CharmName, hash string) (Charm, bool) {
	return s.charms.find(charmKey(m, name, hash))
}

// CharmOf returns the charm of an application.
func (s State) CharmOf(a Application) (Charm, bool) { return s.Charm(a.Model, a.Charm, a.Hash) }

// Charms returns the charms that a model knows.
func (s State) Charms(m model.ModelName) []Charm { return s.charms.under(radixKey(m, "")) }
