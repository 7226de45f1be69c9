package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// User is an operator.
type User struct {
	Stamp
	Name         model.UserName `json:"name"`
	Superuser    bool           `json:"superuser,omitempty"`
	Certificates []string       `json:"certificates,omitempty"` // fingerprints that may speak for the user
	Disabled     bool           `json:"disabled,omitempty"`
}

// AccessLevel is what a user may do with a model.
type AccessLevel string

// The levels of access; each includes those before it, and "" is none.
const (
	ReadAccess  AccessLevel = "read"
	WriteAccess AccessLevel = "write"
	AdminAccess AccessLevel = "admin"
)

// Access is a user's permission on a model.
type Access struct {
	Stamp
	User  model.UserName  `json:"user"`
	Model model.ModelName `json:"model"`
	Level AccessLevel     `json:"level"`
}

// Token lets its bearer join once. Only its hash is known.
type Token struct {
	Stamp
	Hash    string         `json:"hash"`              // SHA-256 of the token, hex
	Machine string         `json:"machine,omitempty"` // UUID of the machine that may join with it
	User    model.UserName `json:"user,omitempty"`    // or the user
	Host    bool           `json:"host,omitempty"`    // or a host agent
	Expires time.Time      `json:"expires"`
}

// Agent is a machine, or a host agent, that has joined.
type Agent struct {
	Stamp
	Machine     string `json:"machine"`     // UUID
	Certificate string `json:"certificate"` // fingerprint of the one that may speak for it
	Host        bool   `json:"host,omitempty"`
}

var userSchema = &schema[User]{
	table: userTable,
	key:   func(u *User) Key { return Key{userTable, "", string(u.Name)} },
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
	table: accessTable,
	key:   func(a *Access) Key { return Key{accessTable, a.Model, string(a.User)} },
	stamp: func(a *Access) *Stamp { return &a.Stamp },
}

var tokenSchema = &schema[Token]{
	table: tokenTable,
	key:   func(t *Token) Key { return Key{tokenTable, "", t.Hash} },
	stamp: func(t *Token) *Stamp { return &t.Stamp },
}

var agentSchema = &schema[Agent]{
	table: agentTable,
	key:   func(a *Agent) Key { return Key{agentTable, "", a.Machine} },
	stamp: func(a *Agent) *Stamp { return &a.Stamp },
}

// User returns an operator.
func (s State) User(name model.UserName) (User, bool) {
	return s.users.find(Key{userTable, "", string(name)})
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
func (s State) Access(u model.UserName, m model.ModelName) AccessLevel {
	a, _ := s.accesses.find(Key{accessTable, m, string(u)})
	return a.Level
}

// Accesses returns who may do what with a model, by user.
func (s State) Accesses(m model.ModelName) []Access { return s.accesses.under(radixKey(m, "")) }

// Token returns a joining token that was not spent.
func (s State) Token(hash string) (Token, bool) { return s.tokens.find(Key{tokenTable, "", hash}) }

// Agent returns the agent of a machine, by the machine's UUID.
func (s State) Agent(machine string) (Agent, bool) {
	return s.agents.find(Key{agentTable, "", machine})
}
