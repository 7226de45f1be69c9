package plugin

import (
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin/internal/charmpb"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// kept are the units of relations that a charm's process was told the numbers
// of.
type kept struct {
	mu     sync.Mutex
	units  map[uint64]effect.Remote
	oldest uint64
}

// input is what is asked; known is false where that speaks of a unit by a
// number that was not told, or is forgotten. The bags in it are the charm's
// own, which may do with them as it likes.
func (k *kept) input(req *charmpb.ReconcileRequest) (in effect.Input, known bool, err error) {
	if err := json.Unmarshal(req.GetInput(), &in); err != nil {
		return in, false, err
	}
	told, err := remotesOf(req.GetUnits())
	if err != nil {
		return in, false, err
	}
	if seen := len(req.GetSeen()); seen > 0 && seen != len(in.Spec.Relations) {
		return in, false, fmt.Errorf("units of %d relations, where there are %d", seen, len(in.Spec.Relations))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.learn(told, req.GetOldest())
	for i, seen := range req.GetSeen() {
		if len(seen.GetNumbers()) == 0 {
			continue
		}
		units := make([]effect.Remote, 0, len(seen.GetNumbers()))
		for _, number := range seen.GetNumbers() {
			u, known := k.units[number]
			if !known {
				u, known = told[number]
			}
			if !known {
				return in, false, nil
			}
			u.Bag = maps.Clone(u.Bag)
			units = append(units, u)
		}
		in.Spec.Relations[i].Units = units
	}
	return in, true, nil
}

// learn keeps units, and forgets those that are older than the oldest of
// which the agent still speaks.
func (k *kept) learn(told map[uint64]effect.Remote, oldest uint64) {
	if oldest > k.oldest {
		k.oldest = oldest
		maps.DeleteFunc(k.units, func(number uint64, _ effect.Remote) bool { return number < oldest })
	}
	for number, u := range told {
		if number >= k.oldest {
			k.units[number] = u
		}
	}
}

func remotesOf(units []*charmpb.Numbered) (map[uint64]effect.Remote, error) {
	told := map[uint64]effect.Remote{}
	for _, n := range units {
		var u effect.Remote
		if err := json.Unmarshal(n.GetUnit(), &u); err != nil {
			return nil, err
		}
		told[n.GetNumber()] = u
	}
	return told, nil
}
