package state

import (
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Secret is sealed under a key that never enters the log. Made and owned in
// one entry; granted by relation, to read.
type Secret struct {
	Stamp
	Model    model.ModelName    `json:"model"`
	ID       string             `json:"id"` // "secret:" and 128 random bits in hex, from the proposer
	Name     string             `json:"name"`
	Owner    Owner              `json:"owner"`
	Revision int                `json:"revision"`
	Fields   []string           `json:"fields"`           // names, sorted
	Sealed   []byte             `json:"sealed"`           // all fields together
	Grants   []model.RelationID `json:"grants,omitempty"` // whose other end may read it, sorted
}

// Scope returns the scope as charms name it.
func (s Secret) Scope() effect.Scope { return s.Owner.Scope() }

// Scope returns the scope of what the owner owns.
func (o Owner) Scope() effect.Scope {
	if o.Unit.IsZero() {
		return effect.ApplicationScope
	}
	return effect.UnitScope
}

// The indexes of secrets.
const (
	secretByOwner = iota
	secretByGrant
)

var secretSchema = &schema[Secret]{
	table: tables.Secret,
	key:   func(s *Secret) Key { return secretKey(s.Model, s.ID) },
	stamp: func(s *Secret) *Stamp { return &s.Stamp },
	indexes: []index[Secret]{
		secretByOwner: func(s *Secret) [][]byte {
			return [][]byte{radixKey(s.Model, s.Owner.String()+":"+s.Name+separator)}
		},
		secretByGrant: func(s *Secret) (keys [][]byte) {
			for _, id := range s.Grants {
				keys = append(keys, radixKey(s.Model, RelationRef{Relation: id}.Key().ID+":"))
			}
			return keys
		},
	},
}

func secretKey(m model.ModelName, id string) Key { return Key{tables.Secret, m, id} }

// Secret returns a secret by its ID.
func (s State) Secret(m model.ModelName, id string) (Secret, bool) {
	return s.secrets.find(secretKey(m, id))
}

// Secrets returns an owner's own secrets by name.
func (s State) Secrets(m model.ModelName, o Owner) []Secret {
	return s.secrets.indexed(secretByOwner, radixKey(m, o.String()+":"))
}

// SecretNamed returns an owner's secret of a name.
func (s State) SecretNamed(m model.ModelName, o Owner, name string) (Secret, bool) {
	found := s.secrets.indexed(secretByOwner, radixKey(m, o.String()+":"+name+separator))
	if len(found) == 0 {
		return Secret{}, false
	}
	return found[0], true
}

// Granted returns the secrets that are granted through a relation, by ID.
func (s State) Granted(r RelationRef) []Secret {
	return s.secrets.indexed(secretByGrant, radixKey(r.Model, r.Key().ID+":"))
}
