package solver

import (
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// checkMarks: what is kept of intents is what they would be made as, whether
// the marks have followed at once, late, or not to the state that is asked for.
func (h *history) checkMarks(before, after state.State, changed []state.Key) {
	h.behind = append(h.behind, changed...)
	if after.Index()%3 != 0 {
		h.seen.Marks.Follow(after, h.behind)
		h.behind = nil
	}
	for _, s := range []state.State{before, after, before} {
		for _, u := range after.ModelUnits(testModel) {
			intent, wanted := IntentOf(s, u.Ref())
			want := effect.Known{Unit: u.Name, Generation: intent.Generation, Hash: intent.Hash, Serial: intent.Live.Serial}
			if known, ok := h.seen.Marks.of(s, u.Ref()); ok != wanted || known != want {
				h.t.Fatalf("at %d, followed to %d: %v is known by %v and would be made as %v", s.Index(), h.seen.Marks.Index(), u.Name, known, want)
			}
		}
	}
}
