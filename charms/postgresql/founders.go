package postgresql

import (
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The members that the first epoch names are voters of Patroni's consensus from
// their first start on: each names all the others as partners, so that nothing
// is founded without a majority of them, and only the founder's configuration
// says how to make a cluster. They start at once and need no turn; who comes
// later joins by one.

// foundingPatience is how long a leader waits for the addresses of all planned
// units before it names those that it sees.
const foundingPatience = 20 * time.Second

// foundingSince is when the unit began to wait, as a record.
const foundingSince = "founding-since"

// foundedBy reports whether a unit is a voter from the start.
func (e epoch) foundedBy(u model.UnitName) bool { return e.Founder == u || slices.Contains(e.With, u) }

// nameFounders proposes the first epoch with all units whose machines are
// there. A pair bears no loss, so that one of two founds alone.
func (m *member) nameFounders(consensus string) {
	var with []model.UnitName
	for _, p := range sdk.Peers(m.in) {
		if p.Life == model.Alive && p.Address != "" {
			with = append(with, p.Unit)
		}
	}
	if len(with)+1 < m.in.Spec.Planned && !m.b.Patience(m.in, foundingSince, foundingPatience) {
		return
	}
	if len(with) < 2 {
		with = nil
	}
	m.propose(epoch{Number: 1, Founder: m.in.Spec.Unit, With: with, Incarnation: "epoch-1", Consensus: consensus})
}

// partners are the members that a starting member asks for the cluster: all
// that have joined, and the founders, who may all be starting.
func (m *member) partners() []effect.Remote {
	return slices.DeleteFunc(sdk.Peers(m.in), func(p effect.Remote) bool {
		return p.Address == "" || !m.belongs(p) && !m.epoch.foundedBy(p.Unit)
	})
}

// foundsWithOthers reports whether another founder, who stays, has yet to
// serve: the cluster that it is to be part of may need this one.
func (m *member) foundsWithOthers() bool {
	return m.founds() && slices.ContainsFunc(sdk.Peers(m.in), func(p effect.Remote) bool {
		return p.Life == model.Alive && m.epoch.foundedBy(p.Unit)
	})
}
