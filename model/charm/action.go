package charm

import (
	"encoding/json"
	"slices"
	"strings"
)

// ActionKind says what running an action may do.
type ActionKind string

// A query looks and changes nothing; an act changes the unit that it runs on;
// an order starts a staged procedure over the whole application.
const (
	Query ActionKind = "query"
	Act   ActionKind = "act"
	Start ActionKind = "order"
)

// Action is a task that an operator may ask of a unit.
type Action struct {
	Name           string          `json:"name"`
	Description    string          `json:"description,omitempty"`
	Kind           ActionKind      `json:"kind"`
	Turn           string          `json:"turn,omitempty"`  // of an act: the turn that it takes while it runs
	Order          string          `json:"order,omitempty"` // of a start: the order that it opens
	Parallel       bool            `json:"parallel,omitempty"`
	ExecutionGroup string          `json:"execution-group,omitempty"`
	Schema         json.RawMessage `json:"schema"` // JSON schema of the parameters, an object
}

// Order is a staged procedure that an operator starts, such as a restore.
type Order struct {
	Name            string   `json:"name"`
	Description     string   `json:"description,omitempty"`
	Stages          []string `json:"stages"`
	PointOfNoReturn string   `json:"point-of-no-return,omitempty"` // the first stage that cannot be cancelled
}

// Charm is everything that a charm declares.
type Charm struct {
	Meta     Meta     `json:"meta"`
	Config   Config   `json:"config"`
	Actions  []Action `json:"actions,omitempty"`
	Orders   []Order  `json:"orders,omitempty"`
	Packages []string `json:"packages,omitempty"` // Debian packages that its machines have from the start
	Software []Lock   `json:"software,omitempty"` // that its machines have from the start, in the order of charm.yaml
}

// Action returns the action of that name.
func (c *Charm) Action(name string) (Action, bool) {
	i, found := slices.BinarySearchFunc(c.Actions, name, func(a Action, name string) int { return strings.Compare(a.Name, name) })
	if !found {
		return Action{}, false
	}
	return c.Actions[i], true
}

// Order returns the order of that name.
func (c *Charm) Order(name string) (Order, bool) {
	i, found := slices.BinarySearchFunc(c.Orders, name, func(o Order, name string) int { return strings.Compare(o.Name, name) })
	if !found {
		return Order{}, false
	}
	return c.Orders[i], true
}

// Cancellable reports whether an order may still be cancelled in a stage: only
// before its point of no return.
func (o Order) Cancellable(stage string) bool {
	at, limit := slices.Index(o.Stages, stage), slices.Index(o.Stages, o.PointOfNoReturn)
	return at >= 0 && (limit < 0 || at < limit)
}
