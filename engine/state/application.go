package state

import (
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// Application is a deployed charm. It goes once its units and relations have.
type Application struct {
	Stamp
	Model       model.ModelName       `json:"model"`
	Name        model.ApplicationName `json:"name"`
	Life        model.Life            `json:"life,omitempty"`
	Charm       model.CharmName       `json:"charm"`
	Hash        string                `json:"hash"`             // of the charm's artifact
	Config      charm.Settings        `json:"config,omitempty"` // as set; defaults are the charm's
	Constraints model.Constraints     `json:"constraints,omitzero"`
	Base        string                `json:"base,omitempty"` // of its new machines
	Trust       bool                  `json:"trust,omitempty"`
	Exposed     bool                  `json:"exposed,omitempty"`
	Subordinate bool                  `json:"subordinate,omitempty"`
	Planned     int                   `json:"planned,omitempty"`   // its units that are alive
	NextUnit    int                   `json:"next_unit,omitempty"` // numbers are never used again
	Versions    map[string]string     `json:"versions,omitempty"`  // package to the exact version that members share
}

// Ref returns the application's reference.
func (a Application) Ref() ApplicationRef { return ApplicationRef{Model: a.Model, Application: a.Name} }

var applicationSchema = &schema[Application]{
	table: tables.Application,
	key:   func(a *Application) Key { return a.Ref().Key() },
	stamp: func(a *Application) *Stamp { return &a.Stamp },
}

// Application returns an application.
func (s State) Application(r ApplicationRef) (Application, bool) {
	return s.applications.find(r.Key())
}

// Applications returns a model's applications by name.
func (s State) Applications(m model.ModelName) []Application {
	return s.applications.under(radixKey(m, ""))
}
