package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// ControllerModel and ControllerApplication are where the controllers live
// that run on machines: each is a unit of that application.
const (
	ControllerModel       model.ModelName       = "controller"
	ControllerApplication model.ApplicationName = "controller"
)

// controllersKept is how many of the controllers that left are remembered.
const controllersKept = 64

// Controller is a member of the control plane, or one that was. Its
// certificate names its ID, which is never given to another.
type Controller struct {
	Stamp
	ID      string         `json:"id"`                // UUID
	Address string         `json:"address,omitempty"` // host:port that members, agents and operators dial
	Unit    model.UnitName `json:"unit,omitzero"`     // of ControllerModel; zero for the one that up started
	Version string         `json:"version"`           // of gantry
	Level   int            `json:"level"`             // the highest of features that it has
	Joined  time.Time      `json:"joined"`
	Left    time.Time      `json:"left,omitzero"` // from then on it is refused
}

var controllerSchema = &schema[Controller]{
	table: tables.Controller, added: true,
	key:   func(c *Controller) Key { return controllerKey(c.ID) },
	stamp: func(c *Controller) *Stamp { return &c.Stamp },
}

func controllerKey(id string) Key { return Key{tables.Controller, "", id} }

// Controller returns a controller by its ID, also one that left.
func (s State) Controller(id string) (Controller, bool) { return s.controllers.find(controllerKey(id)) }

// Controllers returns those that are members, by ID.
func (s State) Controllers() (members []Controller) {
	for _, c := range s.controllers.under(nil) {
		if c.Left.IsZero() {
			members = append(members, c)
		}
	}
	return members
}
