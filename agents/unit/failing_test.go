package unit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestAFailureCountsWhileItsActionIsTried(t *testing.T) {
	task := effect.Task{ID: "task/found", Key: "1", Scope: effect.ApplicationScope, Idempotent: true}
	ours := effect.Receipt{Task: "task/found", Key: "1", Unit: model.UnitName{Application: "app"}, Token: 33, State: effect.ClaimOpen}
	level := func(s unit.State) model.Level {
		s.Failures = map[string]unit.Failure{"claim task/found 1": {Text: "refused", Blocked: true, Times: 1, RetryAt: s.Now.Add(time.Minute)}}
		for _, a := range unit.Step(s) {
			if r, ok := a.(unit.SendReport); ok {
				return r.Report.Status.Level
			}
		}
		t.Fatal("no report")
		return model.Unknown
	}
	if got := level(founding(nil, task)); got != model.Blocked {
		t.Errorf("%v while the claim is refused, want blocked", got)
	}
	if got := level(founding([]effect.Receipt{ours}, task)); got == model.Blocked {
		t.Error("blocked by a claim that it holds")
	}
	done := ours
	done.State = effect.ClaimDone
	if got := level(founding([]effect.Receipt{done}, task)); got == model.Blocked {
		t.Error("blocked by the claim of a task that is done")
	}
}

func TestAStatusNamesWhatFailsAgainAndAgain(t *testing.T) {
	task := effect.Task{ID: "task/found", Key: "1", Scope: effect.ApplicationScope, Idempotent: true}
	message := func(times int) string {
		s := founding(nil, task)
		s.Answer.Desired.Status = model.Status{Level: model.Waiting, Message: "for the server to listen"}
		s.Failures = map[string]unit.Failure{"claim task/found 1": {Text: "no such program", Times: times, RetryAt: s.Now.Add(time.Minute)}}
		for _, a := range unit.Step(s) {
			if r, ok := a.(unit.SendReport); ok {
				return r.Report.Status.Message
			}
		}
		t.Fatal("no report")
		return ""
	}
	if got, want := message(1), "for the server to listen"; got != want {
		t.Errorf("%q after one failure, want %q", got, want)
	}
	if got, want := message(3), "for the server to listen; no such program"; got != want {
		t.Errorf("%q after three failures, want %q", got, want)
	}
}

func TestALeaderThatWasDeposedNeedsNobodyToAct(t *testing.T) {
	denied, invalid := fmt.Errorf("publish: %w", model.ErrDenied), fmt.Errorf("publish: %w", model.ErrInvalid)
	for _, tt := range []struct {
		name   string
		action unit.Action
		err    error
		want   bool
	}{
		{"its publication is denied", unit.Publish{}, denied, false},
		{"its secret is denied", unit.PutSecret{}, denied, false},
		{"what it publishes is no bag of the interface", unit.Publish{}, invalid, true},
		{"a step of its own is denied", unit.Perform{}, denied, true},
	} {
		if got := unit.NeedsPerson(tt.action, tt.err); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
