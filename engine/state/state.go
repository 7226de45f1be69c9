package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// FormatVersion is the format of commands and snapshots that this build
// writes, and the highest that it reads.
const FormatVersion = 1

// State is everything that is replicated. The zero value is not usable: see
// Empty. A copy is a snapshot that later changes do not touch, and is the size
// of a pointer.
type State struct{ *content }

// content is what a State points at. It is never written once it is out of
// ApplyBatch or Decode.
type content struct {
	head header

	models       table[Model]
	charms       table[Charm]
	applications table[Application]
	units        table[Unit]
	machines     table[Machine]
	relations    table[Relation]
	bags         table[Bag]
	records      table[Record]
	claims       table[Claim]
	turns        table[Turn]
	orders       table[Order]
	secrets      table[Secret]
	leases       table[Lease]
	operations   table[Operation]
	warrants     table[Warrant]
	leftovers    table[Leftover]
	users        table[User]
	accesses     table[Access]
	tokens       table[Token]
	agents       table[Agent]
	controllers  table[Controller]
	revisions    table[Revision]
	answers      table[answer]
}

// header is what state knows besides its rows.
type header struct {
	Format    int       `json:"format"`
	Level     int       `json:"level"` // of features that are active
	Index     uint64    `json:"index"`
	Revision  uint64    `json:"revision"`
	Now       time.Time `json:"now"`
	Disturbed uint64    `json:"disturbed"` // the last entry that was not the solver's
	Solved    uint64    `json:"solved"`    // the solver was silent at this entry
	Audits    anchors   `json:"audits,omitempty"`

	Backups model.Backups `json:"backups,omitzero"` // what it points at is never written
}

// Empty is the state before the first entry.
func Empty() State {
	return State{&content{
		head:         header{Format: FormatVersion, Level: 1},
		models:       newTable(modelSchema),
		charms:       newTable(charmSchema),
		applications: newTable(applicationSchema),
		units:        newTable(unitSchema),
		machines:     newTable(machineSchema),
		relations:    newTable(relationSchema),
		bags:         newTable(bagSchema),
		records:      newTable(recordSchema),
		claims:       newTable(claimSchema),
		turns:        newTable(turnSchema),
		orders:       newTable(orderSchema),
		secrets:      newTable(secretSchema),
		leases:       newTable(leaseSchema),
		operations:   newTable(operationSchema),
		warrants:     newTable(warrantSchema),
		leftovers:    newTable(leftoverSchema),
		users:        newTable(userSchema),
		accesses:     newTable(accessSchema),
		tokens:       newTable(tokenSchema),
		agents:       newTable(agentSchema),
		controllers:  newTable(controllerSchema),
		revisions:    newTable(revisionSchema),
		answers:      newTable(answerSchema),
	}}
}

// anyTable is what is done to every table alike.
type anyTable interface {
	transacted
	coded
	name() tables.Name
	len() int // of what is committed
	dropModel(*writer, model.ModelName)
	modifyIndex(Key) uint64
}

// transacted is what Apply begins and ends with.
type transacted interface {
	fork()
	commit()
}

// coded is what a snapshot is made with.
type coded interface {
	encode(*encoder) error
	encodeModel(*encoder, model.ModelName) error
	decode(dec *decoder, rows int) error
	later() bool
}

// tables lists every table once, in the order of a snapshot. Another goes
// before the last, which tells a whole snapshot from one that was cut short.
func (s *State) tables() []anyTable {
	return []anyTable{
		&s.models, &s.charms, &s.applications, &s.units, &s.machines, &s.relations,
		&s.bags, &s.records, &s.claims, &s.turns, &s.orders, &s.secrets, &s.leases,
		&s.operations, &s.warrants, &s.leftovers, &s.users, &s.accesses, &s.tokens,
		&s.agents, &s.controllers, &s.revisions, &s.answers,
	}
}

// Index is the number of the last entry of the log.
func (s State) Index() uint64 { return s.head.Index }

// Revision is the number of the last change that an operator committed.
func (s State) Revision() uint64 { return s.head.Revision }

// Now is the latest time that a proposer stamped.
func (s State) Now() time.Time { return s.head.Now }

// Level is the feature level that is active: an op of a later one is refused.
func (s State) Level() int { return s.head.Level }

// SolvedThrough is the last entry at which the solver found nothing to do.
func (s State) SolvedThrough() uint64 { return s.head.Solved }

// Silent reports whether the solver has answered every entry that was not its
// own.
func (s State) Silent() bool { return s.head.Solved >= s.head.Disturbed }

// Disturbed is the last entry that was not the solver's.
func (s State) Disturbed() uint64 { return s.head.Disturbed }
