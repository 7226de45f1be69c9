package sdk

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Active says that the unit does its work.
func Active(format string, args ...any) model.Status { return status(model.Active, format, args) }

// Maintenance says that the unit changes something itself.
func Maintenance(format string, args ...any) model.Status {
	return status(model.Maintenance, format, args)
}

// Waiting says that the unit waits for another.
func Waiting(format string, args ...any) model.Status { return status(model.Waiting, format, args) }

// Blocked says that a person must act, and should say how.
func Blocked(format string, args ...any) model.Status { return status(model.Blocked, format, args) }

// Partial is the whole answer of a charm that does not know enough yet:
// nothing is added, changed or undone.
func Partial(format string, args ...any) effect.Desired {
	why := fmt.Sprintf(format, args...)
	return effect.Desired{Partial: why, Status: Waiting("%s", why)}
}

func status(l model.Level, format string, args []any) model.Status {
	return model.Status{Level: l, Message: fmt.Sprintf(format, args...)}
}
