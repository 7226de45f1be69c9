package recorder

import (
	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/model"
)

// Fared records how something fares that no agent reports. It never waits.
func (r *Recorder) Fared(m model.ModelName, entity, kind, level, message string) {
	st := r.Log.State()
	r.History.Offer(history.Status{
		Source: r.next(), At: r.Now(), Model: string(m), Entity: entity, Kind: kind, Level: level, Message: message,
		Index: st.Index(), Revision: st.Revision(),
	})
}
