package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Order is a staged procedure over a whole application.
type Order struct {
	Stamp
	Model           model.ModelName       `json:"model"`
	Application     model.ApplicationName `json:"application"`
	ID              string                `json:"id"` // given by the proposer: volumes are stamped with it
	Name            string                `json:"name"`
	Params          map[string]string     `json:"params,omitempty"`
	Stages          []string              `json:"stages"`
	PointOfNoReturn string                `json:"point_of_no_return,omitempty"`
	Stage           int                   `json:"stage,omitempty"` // which of Stages
	Closed          bool                  `json:"closed,omitempty"`
	Cancelled       bool                  `json:"cancelled,omitempty"` // closed before its last stage was reached
	Since           time.Time             `json:"since,omitzero"`      // when the stage began
	Warrants        []effect.Warrant      `json:"warrants,omitempty"`
}

// StageName returns the stage that the order is in.
func (o Order) StageName() string { return o.Stages[o.Stage] }

var orderSchema = &schema[Order]{
	table: tables.Order,
	key:   func(o *Order) Key { return orderKey(ApplicationRef{o.Model, o.Application}, o.ID) },
	stamp: func(o *Order) *Stamp { return &o.Stamp },
	indexes: []index[Order]{
		func(o *Order) [][]byte {
			if o.Closed {
				return nil
			}
			return [][]byte{radixKey(o.Model, string(o.Application)+":")}
		},
	},
}

func orderKey(r ApplicationRef, id string) Key {
	return Key{tables.Order, r.Model, string(r.Application) + ":" + id}
}

// Order returns an order of an application.
func (s State) Order(r ApplicationRef, id string) (Order, bool) {
	return s.orders.find(orderKey(r, id))
}

// OpenOrder returns the order of an application that is open: there is at
// most one.
func (s State) OpenOrder(r ApplicationRef) (Order, bool) {
	open := s.orders.indexed(0, radixKey(r.Model, string(r.Application)+":"))
	if len(open) == 0 {
		return Order{}, false
	}
	return open[0], true
}

// Orders returns an application's orders by ID, closed ones included.
func (s State) Orders(r ApplicationRef) []Order {
	return s.orders.under(radixKey(r.Model, string(r.Application)+":"))
}
