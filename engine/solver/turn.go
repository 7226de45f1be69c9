package solver

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// asker is a unit that wants a turn.
type asker struct {
	unit state.Unit
	ask  effect.Turn
}

// turns releases the turns whose work is done and grants those that may go.
func (p *problem) turns(a state.Application, units []state.Unit) {
	held := slices.DeleteFunc(p.Turns(a.Ref()), func(t state.Turn) bool { return !t.Held })
	asked := map[string][]asker{}
	for _, u := range units {
		asks := p.seen.Reports[u.Ref()].Asks
		if len(asks) == 0 || u.Life == model.Dead || u.Teardown || !p.reachable(u) {
			continue
		}
		for _, ask := range asks {
			if !holds(held, u.Name, ask.Name) {
				asked[ask.Name] = append(asked[ask.Name], asker{u, ask})
			}
		}
	}
	for _, t := range held {
		if p.finished(t) {
			p.emit(t.Cause, state.EndTurn{Model: t.Model, Unit: t.Unit, Turn: t.Ask.Name, Token: t.Token},
				state.UnitRef{Model: t.Model, Unit: t.Unit}.TurnKey(t.Ask.Name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		if p.mayTurn(a, name) {
			p.grant(a, units, held, asked[name])
		}
	}
}

func holds(held []state.Turn, u model.UnitName, name string) bool {
	return slices.ContainsFunc(held, func(t state.Turn) bool { return t.Unit == u && t.Ask.Name == name })
}

// mayTurn reports whether no open order makes the turn wait. Those of the
// order itself are named after it: "restore", or "restore/" and more.
func (p *problem) mayTurn(a state.Application, name string) bool {
	o, open := p.OpenOrder(a.Ref())
	return !open || name == o.Name || strings.HasPrefix(name, o.Name+"/")
}

// finished reports whether the holder gives this very grant back. That it does
// not ask says nothing: it may ask again, and act under the grant, before the
// turn is taken from it. What it has given back it says until it is taken.
func (p *problem) finished(t state.Turn) bool {
	r := p.seen.Reports[state.UnitRef{Model: t.Model, Unit: t.Unit}]
	return slices.Contains(r.Returned, effect.Grant{Turn: t.Ask.Name, Token: t.Token})
}

// grant gives a turn to as many askers as its limit allows.
//
// A unit that is well goes only when every living unit has answered for the
// spec that it has now, none that holds a turn has failed, and no lower rank
// still asks or is at it; with it no more groups may be disrupted than the
// limit. A unit that is unwell costs nothing that is not lost already: it
// waits for holders only. One that is not heard is granted nothing.
func (p *problem) grant(a state.Application, units []state.Unit, held []state.Turn, askers []asker) {
	slices.SortStableFunc(askers, func(x, y asker) int {
		return cmp.Or(cmp.Compare(x.ask.Rank, y.ask.Rank), model.CompareUnits(x.unit.Name, y.unit.Name))
	})
	limit := limitOf(askers)
	holders, failed, rank := p.holders(held, askers[0].ask)
	unwell := p.unwell(units)
	ready := !failed && p.answered(units)
	for _, x := range askers {
		group := state.Turn{Unit: x.unit.Name, Ask: x.ask}.Group()
		if !holders[group] && len(holders) >= limit {
			continue
		}
		if !unwell[x.unit.Name.String()] {
			disrupted := maps.Clone(holders)
			for _, g := range unwell.groups(units, askers) {
				disrupted[g] = true
			}
			disrupted[group] = true
			if !ready || x.ask.Rank > rank || len(disrupted) > limit {
				continue
			}
		}
		holders[group] = true
		ask := x.ask
		ask.Limit = limit
		p.emit(max(a.Cause, x.unit.Cause), state.GrantTurn{Model: a.Model, Unit: x.unit.Name, Ask: ask},
			x.unit.Ref().Key(), x.unit.Ref().TurnKey(ask.Name))
	}
}

// limitOf is the strictest limit that any asker gave.
func limitOf(askers []asker) int {
	limit := max(1, askers[0].ask.Limit)
	for _, x := range askers {
		limit = min(limit, max(1, x.ask.Limit))
	}
	return limit
}

// holders returns the groups that hold any turn of the application, whether
// one of them has failed, and the lowest rank that asks for this turn or
// holds it.
func (p *problem) holders(held []state.Turn, lowest effect.Turn) (groups map[string]bool, failed bool, rank int) {
	groups, rank = map[string]bool{}, lowest.Rank
	for _, t := range held {
		groups[t.Group()] = true
		r := p.seen.Reports[state.UnitRef{Model: t.Model, Unit: t.Unit}]
		failed = failed || len(r.Flapping) > 0 || r.Status.Level == model.Blocked
		if t.Ask.Name == lowest.Name {
			rank = min(rank, t.Ask.Rank)
		}
	}
	return groups, failed, rank
}

// unitSet is a set of units by name.
type unitSet map[string]bool

// groups returns the group of each unit of the set.
func (s unitSet) groups(units []state.Unit, askers []asker) []string {
	var groups []string
	for _, u := range units {
		if !s[u.Name.String()] {
			continue
		}
		ask := effect.Turn{}
		for _, x := range askers {
			if x.unit.Name == u.Name {
				ask = x.ask
			}
		}
		groups = append(groups, state.Turn{Unit: u.Name, Ask: ask}.Group())
	}
	return groups
}

// unwell returns the living units that are unreachable, or of which a service
// is not healthy. One that was never started disrupts nobody by its absence.
func (p *problem) unwell(units []state.Unit) unitSet {
	set := unitSet{}
	for _, u := range units {
		if u.Life != model.Alive || !p.started(u) {
			continue
		}
		r := p.seen.Reports[u.Ref()]
		sick := slices.ContainsFunc(r.Services, func(s effect.ServiceReport) bool { return !s.Healthy })
		if !p.reachable(u) || sick || len(r.Flapping) > 0 {
			set[u.Name.String()] = true
		}
	}
	return set
}

// answered reports whether every living unit that can be reached has said,
// for the spec that it has now, which turns it wants.
func (p *problem) answered(units []state.Unit) bool {
	for _, u := range units {
		if u.Life != model.Alive || !p.reachable(u) {
			continue
		}
		if r := p.seen.Reports[u.Ref()]; !r.Answered || r.Hash != p.wanted(u.Ref()).Hash {
			return false
		}
	}
	return true
}
