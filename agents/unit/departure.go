package unit

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// teardown undoes what the journal has, what rests on another first. The
// charm is not asked, and no turn or confirmation is awaited: the unit's
// leaving was decided by the model.
func (v view) teardown() []Action {
	if v.Journal.Cleared {
		if v.Journal.Withdrawn {
			return []Action{Forget{}}
		}
		return nil
	}
	if !v.Observed.Ready {
		return nil
	}
	var next []Action
	for _, s := range v.diff.Steps {
		if v.undoable(s) {
			next = append(next, Perform{Step: s})
		}
	}
	if len(v.diff.Steps) == 0 && !v.touching() {
		next = append(next, Clear{})
	}
	return next
}

func (v view) undoable(s effect.Step) bool {
	for _, name := range s.After {
		if v.open[name] {
			return false
		}
	}
	return !v.busy(s.ID)
}

// touching reports whether any step is under way.
func (v view) touching() bool {
	for _, a := range v.Running {
		if _, ok := a.(Perform); ok {
			return true
		}
	}
	return false
}

// leftovers are what the teardown left, and tasks whose outcome nobody knows.
func (v view) leftovers() []string {
	left := append([]string(nil), v.Journal.Leftovers...)
	for _, a := range v.Journal.Applied {
		if a.Open {
			left = append(left, fmt.Sprintf("%s: it was cut short and its outcome is unknown", a.Effect.ID()))
		}
	}
	return left
}
