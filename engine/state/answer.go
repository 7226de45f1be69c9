package state

import (
	"errors"
	"strconv"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// Answers to keyed commands are kept for this long, and for this many entries
// of the log: what retries later than that is a new command.
const (
	answersKept    = 10000
	answersKeptFor = time.Hour
)

// answer is what a keyed command was told, for a retry of it.
type answer struct {
	Stamp
	Key     string        `json:"key"`
	Time    time.Time     `json:"time"`
	Result  Result        `json:"result,omitzero"`
	Refused *refusedError `json:"refused,omitempty"`
}

var answerSchema = &schema[answer]{
	table: tables.Answer,
	key:   func(a *answer) Key { return answerKey(a.Key) },
	stamp: func(a *answer) *Stamp { return &a.Stamp },
	indexes: []index[answer]{
		func(a *answer) [][]byte { return [][]byte{radixKey("", strconv.FormatUint(a.ModifyIndex, 10)+":")} },
	},
}

func answerKey(key string) Key { return Key{tables.Answer, "", key} }

// refusedError is the error of a refused command: its class and text are what a
// retry gets too.
type refusedError struct {
	Class string `json:"class"` // text of the model class
	Text  string `json:"text"`
}

// Error implements error.
func (r *refusedError) Error() string { return r.Text }

// Unwrap returns the class.
func (r *refusedError) Unwrap() error {
	for _, class := range []error{
		model.ErrNotFound, model.ErrConflict, model.ErrInvalid, model.ErrDenied, model.ErrFrozen, model.ErrUnavailable,
	} {
		if class.Error() == r.Class {
			return class
		}
	}
	return nil
}

// refusal makes err what a retry can be told too.
func refusal(err error) *refusedError {
	var r *refusedError
	if errors.As(err, &r) {
		return r
	}
	r = &refusedError{Text: err.Error()}
	if class := model.Class(err); class != nil {
		r.Class = class.Error()
	}
	return r
}

// remember keeps the answer and drops those that are too old or too many.
func (w *writer) remember(key string, result Result, refused *refusedError) {
	if key == "" {
		return
	}
	put(w, &w.answers, answer{Key: key, Time: w.head.Now, Result: result, Refused: refused})
	for {
		_, at, ok := w.answers.by[0].root().Minimum()
		if !ok {
			return
		}
		oldest, _ := w.answers.at(at.([]byte))
		if w.head.Index-oldest.ModifyIndex < answersKept && w.head.Now.Sub(oldest.Time) <= answersKeptFor {
			return
		}
		remove(w, &w.answers, answerKey(oldest.Key))
	}
}
