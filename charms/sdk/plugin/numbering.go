package plugin

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin/internal/charmpb"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// mostNumbered is how many units a client and its process keep for each other.
const mostNumbered = 1 << 13

// numbering is the agent's end of what it and a charm's process keep of the
// units in relations: each is sent once, and called by its number from then
// on. Among n peers each sees all others, so that these are most of an input.
type numbering struct {
	mu     sync.Mutex
	keeps  bool // the process said so; one that is older does not
	units  map[effect.RemoteKey]*numbered
	next   uint64
	oldest uint64
}

type numbered struct {
	number uint64
	told   bool // the process has answered to a question that brought it
}

// question is how an input is put to the process, and what of it the process
// knows once it has answered. All repeats what it knows already.
func (n *numbering) question(in effect.Input, all bool) (*charmpb.ReconcileRequest, []*numbered, error) {
	req, brought, relations := n.number(in.Spec.Relations, all)
	if req.Seen != nil {
		in.Spec = in.Spec.WithoutUnits()
	}
	var err error
	if req.Input, err = json.Marshal(in); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errEncode, err)
	}
	for i, u := range relations {
		if req.Units[i].Unit, err = json.Marshal(u); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errEncode, err)
		}
	}
	return req, brought, nil
}

// number fills in which units are seen; the remotes that it returns are those
// of the request's units, which it does not encode.
func (n *numbering) number(relations []effect.Relation, all bool) (*charmpb.ReconcileRequest, []*numbered, []effect.Remote) {
	n.mu.Lock()
	defer n.mu.Unlock()
	req := &charmpb.ReconcileRequest{}
	if !n.keeps {
		return req, nil, nil
	}
	if len(n.units) > mostNumbered {
		n.units, n.oldest = nil, n.next
	}
	if n.units == nil {
		n.units = map[effect.RemoteKey]*numbered{}
	}
	var brought []*numbered
	var remotes []effect.Remote
	carried := map[uint64]bool{}
	for _, r := range relations {
		seen := &charmpb.Seen{Numbers: make([]uint64, 0, len(r.Units))}
		for _, u := range r.Units {
			key := u.Key()
			one, known := n.units[key]
			if !known {
				one = &numbered{number: n.next}
				n.units[key] = one
				n.next++
			}
			if (all || !one.told) && !carried[one.number] {
				carried[one.number] = true
				brought, remotes = append(brought, one), append(remotes, u)
				req.Units = append(req.Units, &charmpb.Numbered{Number: one.number})
			}
			seen.Numbers = append(seen.Numbers, one.number)
		}
		req.Seen = append(req.Seen, seen)
	}
	req.Oldest = n.oldest
	return req, brought, remotes
}

// answered notes what the process knows by now.
func (n *numbering) answered(res *charmpb.ReconcileResponse, brought []*numbered) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.keeps = n.keeps || res.GetKeeps()
	for _, one := range brought {
		one.told = true
	}
}
