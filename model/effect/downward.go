package effect

import (
	"encoding/json"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
)

// Downward is what a controller sends on a session: one of the fields.
//
// In its JSON a unit that several intents see, as each of n peers sees all
// others, is written once for all of them.
type Downward struct {
	Set       []Intent // new or changed
	Withdrawn []string // units that no longer exist: forget them
	Beat      *Beat    // the agent's own, echoed by a leader with a quorum
	Operation *Operation
	// Trace is what the intents of Set are a part of, as W3C Trace Context writes
	// it; empty where nobody traces.
	Trace string
}

// downward is the JSON of a Downward.
type downward struct {
	Remotes   []Remote       `json:"remotes,omitempty"` // that intents of Set see
	Set       []sharedIntent `json:"set,omitempty"`
	Withdrawn []string       `json:"withdrawn,omitempty"`
	Beat      *Beat          `json:"beat,omitempty"`
	Operation *Operation     `json:"operation,omitempty"`
	Trace     string         `json:"trace,omitempty"`
}

// sharedIntent is an intent whose relations have no units; Seen says of each
// relation which of the message's remotes they are.
type sharedIntent struct {
	Intent
	Seen [][]span `json:"seen,omitempty"`
}

// span is where consecutive remotes begin, and how many there are.
type span [2]int

// MarshalJSON implements json.Marshaler.
func (d Downward) MarshalJSON() ([]byte, error) {
	out := downward{Withdrawn: d.Withdrawn, Beat: d.Beat, Operation: d.Operation, Trace: d.Trace}
	place := map[RemoteKey]int{}
	for _, in := range d.Set {
		one := sharedIntent{Intent: in}
		one.Spec = in.Spec.WithoutUnits()
		for _, r := range in.Spec.Relations {
			spans := []span{}
			for _, u := range r.Units {
				at, known := place[u.Key()]
				if !known {
					at = len(out.Remotes)
					place[u.Key()] = at
					out.Remotes = append(out.Remotes, u)
				}
				spans = extend(spans, at)
			}
			one.Seen = append(one.Seen, spans)
		}
		out.Set = append(out.Set, one)
	}
	return json.Marshal(out)
}

// extend adds one remote.
func extend(spans []span, at int) []span {
	if n := len(spans); n > 0 && spans[n-1][0]+spans[n-1][1] == at {
		spans[n-1][1]++
		return spans
	}
	return append(spans, span{at, 1})
}

// UnmarshalJSON implements json.Unmarshaler. Intents share the bags of the
// units that they see.
func (d *Downward) UnmarshalJSON(b []byte) error {
	var in downward
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*d = Downward{Withdrawn: in.Withdrawn, Beat: in.Beat, Operation: in.Operation, Trace: in.Trace}
	for _, one := range in.Set {
		if len(one.Seen) > len(one.Spec.Relations) {
			return fmt.Errorf("intent of %s: it sees units in %d relations and has %d: %w", one.Spec.Unit, len(one.Seen), len(one.Spec.Relations), model.ErrInvalid)
		}
		for i, spans := range one.Seen {
			units, err := gather(in.Remotes, spans)
			if err != nil {
				return fmt.Errorf("intent of %s: relation %d: %w", one.Spec.Unit, one.Spec.Relations[i].ID, err)
			}
			one.Spec.Relations[i].Units = units
		}
		d.Set = append(d.Set, one.Intent)
	}
	return nil
}

func gather(remotes []Remote, spans []span) ([]Remote, error) {
	total := 0
	for _, s := range spans {
		if s[0] < 0 || s[1] < 1 || s[1] > len(remotes) || s[0] > len(remotes)-s[1] {
			return nil, fmt.Errorf("units %d to %d of %d that the message has: %w", s[0], s[0]+s[1], len(remotes), model.ErrInvalid)
		}
		total += s[1]
	}
	if total == 0 {
		return nil, nil
	}
	units := make([]Remote, 0, total)
	for _, s := range spans {
		units = append(units, remotes[s[0]:s[0]+s[1]]...)
	}
	return units, nil
}
