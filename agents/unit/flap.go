package unit

import (
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// A unit flaps when it restarts unplanned, or is asked to go back and forth,
// this often.
const (
	FlapWindow   = 10 * time.Minute
	FlapRestarts = 3
	FlapReturns  = 3
	FlapRounds   = 32
)

// Round is one answer of the charm whose Desired differed from the one before.
type Round struct {
	At      time.Time   `json:"at"`
	Desired string      `json:"desired"`           // hash
	Changed []effect.ID `json:"changed,omitempty"` // effects that differ from the round before
	Token   uint64      `json:"token,omitempty"`   // of leadership; 0 where the unit does not lead
	Order   string      `json:"order,omitempty"`   // the open order's id
}

// comparable reports whether nothing was asked of the unit between two rounds
// that accounts for a way back: the same leadership, and the same order or none.
func (r Round) comparable(other Round) bool { return r.Token == other.Token && r.Order == other.Order }

// NextRound is the round that an answer begins, to be journaled before the
// answer is carried out; ok is false where the effects are as they were.
func (s State) NextRound(next effect.Desired) (r Round, ok bool) {
	rounds, hash := s.Journal.Rounds, HashEffects(next)
	if len(rounds) > 0 && rounds[len(rounds)-1].Desired == hash {
		return Round{}, false
	}
	r = Round{At: s.Now, Desired: hash}
	live := s.Input().Live
	if live.Leader {
		r.Token = live.Token
	}
	if live.Order != nil {
		r.Order = live.Order.ID
	}
	if s.Answer.For != "" {
		r.Changed = Changed(s.Answer.Desired, next)
	}
	return r, true
}

// Flapping names the effects that alternate; none where the rounds are no
// flapping. Only rounds of one generation, one leadership and one order, or none,
// within FlapWindow are compared: a failover a month, a lease that moves, and an
// order that was cancelled return to an earlier Desired too.
func Flapping(rounds []Round, now time.Time) []effect.ID {
	begin := len(rounds)
	for begin > 0 && rounds[begin-1].comparable(rounds[len(rounds)-1]) {
		begin--
	}
	recent := slices.DeleteFunc(slices.Clone(rounds[begin:]), func(r Round) bool { return now.Sub(r.At) > FlapWindow })
	seen, returns := map[string]bool{}, map[string]int{}
	flapping := len(recent) >= FlapRounds
	for _, r := range recent {
		if seen[r.Desired] {
			returns[r.Desired]++
		}
		seen[r.Desired] = true
		flapping = flapping || returns[r.Desired] >= FlapReturns
	}
	if !flapping {
		return nil
	}
	counts := map[effect.ID]int{}
	for _, r := range recent {
		for _, id := range r.Changed {
			counts[id]++
		}
	}
	var ids []effect.ID
	for id, n := range counts {
		if n > 1 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Crashing names the services that were restarted unplanned too often within
// FlapWindow before now.
func Crashing(restarts map[effect.ID][]time.Time, now time.Time) []effect.ID {
	var ids []effect.ID
	for id, times := range restarts {
		n := 0
		for _, t := range times {
			if now.Sub(t) <= FlapWindow {
				n++
			}
		}
		if n >= FlapRestarts {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
