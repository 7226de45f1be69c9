package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Claim is one run of an Application task. It outlives its run, so that a done
// key never runs again.
type Claim struct {
	Stamp
	Model       model.ModelName       `json:"model"`
	Application model.ApplicationName `json:"application"`
	Task        string                `json:"task"`
	Key         string                `json:"key"`
	Unit        model.UnitName        `json:"unit"`  // who runs it
	Token       uint64                `json:"token"` // index at which it was opened
	Lease       uint64                `json:"lease"` // token of the leadership that opened it
	Deadline    time.Time             `json:"deadline"`
	State       effect.ReceiptState   `json:"state"`
	Failed      string                `json:"failed,omitempty"`
}

var claimSchema = &schema[Claim]{
	table: tables.Claim,
	key: func(c *Claim) Key {
		return claimKey(ApplicationRef{c.Model, c.Application}, c.Task, c.Key)
	},
	stamp: func(c *Claim) *Stamp { return &c.Stamp },
}

func claimKey(r ApplicationRef, task, key string) Key {
	return Key{tables.Claim, r.Model, string(r.Application) + ":" + task + separator + key}
}

// Claim returns the claim of an application's task under a key.
func (s State) Claim(r ApplicationRef, task, key string) (Claim, bool) {
	return s.claims.find(claimKey(r, task, key))
}

// Claims returns an application's claims by task and key.
func (s State) Claims(r ApplicationRef) []Claim {
	return s.claims.under(radixKey(r.Model, string(r.Application)+":"))
}
