package state

import (
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Lease is the leadership of an application. It has no end of its own: the
// solver moves it when its holder leaves or was silent for a full term.
type Lease struct {
	Stamp
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	Holder      model.UnitName        `json:"holder"`
	Token       uint64                `json:"token"` // index at which it was granted
}

var leaseSchema = &schema[Lease]{
	table: tables.Lease,
	key:   func(l *Lease) Key { return LeaseKey(ApplicationRef{l.Model, l.Application}) },
	stamp: func(l *Lease) *Stamp { return &l.Stamp },
}

// Lease returns the leadership of an application, if it was ever granted.
func (s State) Lease(r ApplicationRef) (Lease, bool) { return s.leases.find(LeaseKey(r)) }
