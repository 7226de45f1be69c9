package unit

import (
	"encoding/json"
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// DefaultTaskTimeout bounds a task that names no timeout.
const DefaultTaskTimeout = 60 * time.Second

// ClaimTime is how long a claim lasts: the task's time, and as much again for
// the agent to be killed and to look at what came of it.
func ClaimTime(t effect.Task) time.Duration {
	if t.Timeout > 0 {
		return 2 * t.Timeout
	}
	return 2 * DefaultTaskTimeout
}

// commitOutcomes brings what tasks came to where it is kept: a claim is
// closed, a sealed result becomes a secret, a public one a record (see
// publish). Also while the unit is torn down.
func (v view) commitOutcomes() []Action {
	if !v.Connected {
		return nil
	}
	var next []Action
	for _, o := range v.Journal.Outcomes {
		switch {
		case o.Task.Scope == effect.ApplicationScope:
			if o.Token == 0 { // found done after a crash: the claim is that which is still open
				o.Token = v.claimed(o.Task)
			}
			next = append(next, CloseClaim{Outcome: o})
		case o.Task.Result == effect.SealedResult:
			next = append(next, PutSecret{Spec: effect.SecretSpec{Name: string(o.Task.ID), Scope: effect.UnitScope}, Outcome: &o})
		}
	}
	return append(next, v.abandon()...)
}

// claimed is the token of the unit's open claim of a task, or 0.
func (v view) claimed(t effect.Task) uint64 {
	if r := v.receipt(t, effect.ClaimOpen); r.Unit == v.Journal.Intent.Spec.Unit {
		return r.Token
	}
	return 0
}

// receipt is that of a task's claim where it is in that state, or the zero one.
func (v view) receipt(t effect.Task, in effect.ReceiptState) effect.Receipt {
	for _, r := range v.Journal.Intent.Live.Receipts {
		if r.Task == string(t.ID) && r.Key == t.Key && r.State == in {
			return r
		}
	}
	return effect.Receipt{}
}

// abandon closes a claim of ours that nothing came of and nothing will: the
// charm no longer wants the task.
func (v view) abandon() []Action {
	if !v.current {
		return nil
	}
	spec, live := v.Journal.Intent.Spec, v.Journal.Intent.Live
	var next []Action
	for _, r := range live.Receipts {
		if r.Unit != spec.Unit || r.State != effect.ClaimOpen || v.busy(effect.ID(r.Task)) || v.wantsTask(r) {
			continue
		}
		t := effect.Task{ID: effect.ID(r.Task), Key: r.Key, Scope: effect.ApplicationScope}
		next = append(next, CloseClaim{Outcome: Outcome{Task: t, Token: r.Token, Failed: "no longer wanted"}})
	}
	return next
}

func (v view) wantsTask(r effect.Receipt) bool {
	for _, t := range v.Answer.Desired.Tasks {
		if string(t.ID) == r.Task && t.Key == r.Key {
			return true
		}
	}
	for _, o := range v.Journal.Outcomes {
		if string(o.Task.ID) == r.Task && o.Task.Key == r.Key {
			return true
		}
	}
	return false
}

// SealedFields are the fields of the secret that a task's sealed result
// becomes: those of a JSON object of strings, else all of it as "value".
func SealedFields(result string) map[string][]byte {
	var object map[string]string
	fields := map[string][]byte{}
	if json.Unmarshal([]byte(result), &object) == nil && len(object) > 0 {
		for name, value := range object {
			fields[name] = []byte(value)
		}
		return fields
	}
	fields["value"] = []byte(result)
	return fields
}
