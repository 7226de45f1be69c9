package supervise

import (
	"errors"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// The protocol: a connection carries one request, a line of JSON, and its
// answer, one line; watch answers with a line an event until either side
// closes. Unknown fields are ignored, so that an agent and a supervisor of
// neighbouring versions understand each other.

type request struct {
	Method method    `json:"method"`
	ID     string    `json:"id,omitempty"`
	Spec   *Spec     `json:"spec,omitempty"`
	Lease  time.Time `json:"lease,omitzero"`
}

type method string

const (
	methodStart   method = "start"
	methodStop    method = "stop"
	methodRestart method = "restart"
	methodReload  method = "reload"
	methodRenew   method = "renew"
	methodRemove  method = "remove"
	methodList    method = "list"
	methodWatch   method = "watch"
	methodUpgrade method = "upgrade"
)

type response struct {
	Process *Process  `json:"process,omitempty"`
	List    []Process `json:"list,omitempty"`
	Event   *Event    `json:"event,omitempty"`
	Error   *failure  `json:"error,omitempty"`
}

// failure is an error that keeps its class across the socket.
type failure struct {
	Message string `json:"message"`
	Class   string `json:"class,omitempty"`
}

func (f *failure) Error() string { return f.Message }

func (f *failure) Unwrap() error {
	for _, c := range []error{
		model.ErrNotFound, model.ErrConflict, model.ErrInvalid, model.ErrDenied, model.ErrFrozen, model.ErrUnavailable,
	} {
		if c.Error() == f.Class {
			return c
		}
	}
	return nil
}

func toFailure(err error) *failure {
	var f *failure
	if err == nil || errors.As(err, &f) {
		return f
	}
	f = &failure{Message: err.Error()}
	if c := model.Class(err); c != nil {
		f.Class = c.Error()
	}
	return f
}
