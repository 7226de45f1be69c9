package unit

import "github.com/gantry-orchestrator/gantry/model/effect"

// Reading is what a probe saw once. Failed means that it saw nothing.
type Reading struct {
	Value  string `json:"value,omitempty"`
	Failed bool   `json:"failed,omitempty"`
}

// Debounced is the standing of one probe: its fact, and what is on the way to
// change it. The zero value is unknown.
type Debounced struct {
	Fact      effect.Fact `json:"fact"`
	Known     bool        `json:"known"`
	Candidate string      `json:"candidate,omitempty"`
	Seen      int         `json:"seen,omitempty"`   // equal readings of Candidate in a row
	Failed    int         `json:"failed,omitempty"` // failed readings in a row
}

const (
	defaultRise = 1
	defaultFall = 3
)

// Take takes one reading. A new value counts after Rise equal readings in a
// row; after Fall failed ones in a row the fact is unknown. A failed reading
// says nothing of the value, so it never makes one.
func (d Debounced) Take(p effect.Probe, r Reading) Debounced {
	rise, fall := orDefault(p.Rise, defaultRise), orDefault(p.Fall, defaultFall)
	if r.Failed {
		d.Candidate, d.Seen = "", 0
		if d.Failed++; d.Failed >= fall {
			return Debounced{Failed: fall}
		}
		return d
	}
	d.Failed = 0
	if d.Known && d.Fact.Value == r.Value {
		d.Candidate, d.Seen = "", 0
		return d
	}
	if d.Seen > 0 && d.Candidate == r.Value {
		d.Seen++
	} else {
		d.Candidate, d.Seen = r.Value, 1
	}
	if d.Seen >= rise {
		return settledOn(r.Value)
	}
	return d
}

// Refresh takes a reading that Confirm asked for: it counts at once, either
// way.
func (d Debounced) Refresh(r Reading) Debounced {
	if r.Failed {
		return Debounced{}
	}
	return settledOn(r.Value)
}

func settledOn(value string) Debounced {
	return Debounced{Fact: effect.Fact{Value: value}, Known: true}
}

func orDefault(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}
