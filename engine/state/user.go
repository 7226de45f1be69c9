package state

import (
	"maps"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// User is an operator.
type User struct {
	Stamp
	Name         model.UserName       `json:"name"`
	Superuser    bool                 `json:"superuser,omitempty"`
	AddModels    bool                 `json:"add_models,omitempty"`   // may make models of their own
	Certificates []string             `json:"certificates,omitempty"` // fingerprints that may speak for the user
	Until        map[string]time.Time `json:"until,omitempty"`        // by fingerprint: when it no longer does
	Disabled     bool                 `json:"disabled,omitempty"`
}

// Key is the user's key.
func (u User) Key() Key { return Key{tables.User, "", string(u.Name)} }

// Speaks reports whether a certificate may speak for the user at a time.
func (u User) Speaks(fingerprint string, now time.Time) bool {
	until, ends := u.Until[fingerprint]
	return slices.Contains(u.Certificates, fingerprint) && (!ends || now.Before(until))
}

// without is the user without the certificates that drop selects.
func (u User) without(drop func(string) bool) User {
	u.Certificates = slices.DeleteFunc(slices.Clone(u.Certificates), drop)
	u.Until = maps.Clone(u.Until)
	maps.DeleteFunc(u.Until, func(c string, _ time.Time) bool { return drop(c) })
	return u
}

// with is the user with another certificate, and without those whose time is
// past.
func (u User) with(certificate string, until, now time.Time) User {
	u = u.without(func(c string) bool { return c != certificate && !u.Speaks(c, now) })
	if !slices.Contains(u.Certificates, certificate) {
		u.Certificates = append(u.Certificates, certificate)
	}
	if !until.IsZero() {
		u.Until = maps.Clone(u.Until)
		if u.Until == nil {
			u.Until = map[string]time.Time{}
		}
		u.Until[certificate] = until.UTC()
	}
	return u
}

// Access is a user's permission on a model.
type Access struct {
	Stamp
	User  model.UserName    `json:"user"`
	Model model.ModelName   `json:"model"`
	Level model.AccessLevel `json:"level"`
}

// Token lets its bearer in: once, to join; or, where it has an ID, as often as
// it likes until it ends. Only its hash is known.
type Token struct {
	Stamp
	Hash    string            `json:"hash"`              // SHA-256, hex: of a joining token's secret, or of an API token's certificate
	Machine string            `json:"machine,omitempty"` // UUID of the machine that may join with it
	User    model.UserName    `json:"user,omitempty"`    // or the user; of an API token its owner
	Host    bool              `json:"host,omitempty"`    // or a host agent
	Expires time.Time         `json:"expires"`
	ID      string            `json:"id,omitempty"`    // of an API token: 128 random bits in hex
	Label   string            `json:"label,omitempty"` // what it is for
	Model   model.ModelName   `json:"model,omitempty"` // all that an API token reaches
	Level   model.AccessLevel `json:"level,omitempty"` // at most its owner's
}

// Agent is a machine, or a host agent, that has joined.
type Agent struct {
	Stamp
	Machine     string    `json:"machine"`        // UUID
	Certificate string    `json:"certificate"`    // fingerprint of the one that may speak for it
	Was         string    `json:"was,omitempty"`  // the one before, which may
	Until       time.Time `json:"until,omitzero"` // until then
	Host        bool      `json:"host,omitempty"`
}

// Speaks reports whether a certificate may speak for the agent at a time.
func (a Agent) Speaks(fingerprint string, now time.Time) bool {
	return fingerprint != "" && (fingerprint == a.Certificate || fingerprint == a.Was && now.Before(a.Until))
}

var userSchema = &schema[User]{
	table: tables.User,
	key:   func(u *User) Key { return u.Key() },
	stamp: func(u *User) *Stamp { return &u.Stamp },
	indexes: []index[User]{
		func(u *User) (keys [][]byte) {
			for _, c := range u.Certificates {
				keys = append(keys, radixKey("", c+":"))
			}
			return keys
		},
	},
}

var accessSchema = &schema[Access]{
	table: tables.Access,
	key:   func(a *Access) Key { return Key{tables.Access, a.Model, string(a.User)} },
	stamp: func(a *Access) *Stamp { return &a.Stamp },
}

// The indexes of tokens.
const (
	tokenByUser = iota
	tokenByModel
)

var tokenSchema = &schema[Token]{
	table: tables.Token,
	key:   func(t *Token) Key { return Key{tables.Token, "", t.Hash} },
	stamp: func(t *Token) *Stamp { return &t.Stamp },
	indexes: []index[Token]{
		tokenByUser: func(t *Token) [][]byte {
			if t.User == "" {
				return nil
			}
			return [][]byte{radixKey("", string(t.User)+":")}
		},
		tokenByModel: func(t *Token) [][]byte {
			if t.Model == "" {
				return nil
			}
			return [][]byte{radixKey(t.Model, "")}
		},
	},
}

var agentSchema = &schema[Agent]{
	table: tables.Agent,
	key:   func(a *Agent) Key { return Key{tables.Agent, "", a.Machine} },
	stamp: func(a *Agent) *Stamp { return &a.Stamp },
}

// User returns an operator.
func (s State) User(name model.UserName) (User, bool) {
	return s.users.find(Key{tables.User, "", string(name)})
}

// Users returns every operator by name.
func (s State) Users() []User { return s.users.under(nil) }

// UserOf returns the operator for whom a certificate speaks.
func (s State) UserOf(fingerprint string) (User, bool) {
	found := s.users.indexed(0, radixKey("", fingerprint+":"))
	if len(found) == 0 {
		return User{}, false
	}
	return found[0], true
}

// Access returns a user's level of access to a model; "" is none.
func (s State) Access(u model.UserName, m model.ModelName) model.AccessLevel {
	a, _ := s.accesses.find(Key{tables.Access, m, string(u)})
	return a.Level
}

// Accesses returns who may do what with a model, by user.
func (s State) Accesses(m model.ModelName) []Access { return s.accesses.under(radixKey(m, "")) }

// Token returns a token that was neither spent nor revoked.
func (s State) Token(hash string) (Token, bool) { return s.tokens.find(Key{tables.Token, "", hash}) }

// TokensOf returns the tokens of a user, by hash.
func (s State) TokensOf(u model.UserName) []Token {
	return s.tokens.indexed(tokenByUser, radixKey("", string(u)+":"))
}

// Agent returns the agent of a machine, by the machine's UUID.
func (s State) Agent(machine string) (Agent, bool) {
	return s.agents.find(Key{tables.Agent, "", machine})
}
