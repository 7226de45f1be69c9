package sdk

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Patience reports whether a wait that the unit began is over, and asks for a
// Revisit when it will be. The first call begins it: the time is a record of
// the unit of that name, so that it outlives restarts.
func (b *Builder) Patience(in effect.Input, record string, wait time.Duration) (over bool) {
	text, recorded := RecordOf(in, effect.UnitScope, record)
	since, err := time.Parse(time.RFC3339, text)
	if !recorded || err != nil {
		b.Record(effect.UnitScope, record, in.Now.UTC().Format(time.RFC3339))
		return false
	}
	until := since.Add(wait)
	if in.Now.Before(until) {
		b.Revisit(until)
		return false
	}
	return true
}
