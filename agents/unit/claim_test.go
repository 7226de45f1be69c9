package unit_test

import (
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// founding is the state of a leader whose charm wants a task of application
// scope, under an intent with some receipts.
func founding(receipts []effect.Receipt, want ...effect.Task) unit.State {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	in := effect.Intent{Generation: 1, Spec: effect.Spec{Unit: model.UnitName{Application: "app"}}}
	in.Hash = in.Spec.Hash()
	in.Live = effect.Live{Serial: 1, Leader: true, Token: 9, Receipts: receipts}
	s := unit.State{
		Journal: unit.Journal{Intent: in, Now: now, NowFor: in.Hash}, Now: now, LeadsUntil: now.Add(time.Second), Connected: true,
		Observed: unit.Observed{Ready: true},
	}
	answer(&s, want)
	return s
}

// answer has the charm want some tasks, and every step of them confirmed.
func answer(s *unit.State, want []effect.Task) {
	s.Answer = unit.Answer{For: s.Question().For, Desired: effect.Desired{Tasks: want}}
	s.Answer.Confirmed = map[string]bool{}
	for _, a := range unit.Step(*s) {
		if c, ok := a.(unit.Confirm); ok {
			for _, key := range c.Steps {
				s.Answer.Confirmed[key] = true
			}
		}
	}
}

// only returns the one action that is no talk.
func only(t *testing.T, s unit.State) unit.Action {
	t.Helper()
	var found unit.Action
	for _, a := range unit.Step(s) {
		switch a.(type) {
		case unit.SendReport, unit.SetTimer:
		default:
			if found != nil {
				t.Fatalf("both %+v and %+v", found, a)
			}
			found = a
		}
	}
	return found
}

func TestAnApplicationTaskIsClaimedRunAndClosed(t *testing.T) {
	task := effect.Task{ID: "task/found", Key: "1", Scope: effect.ApplicationScope, Idempotent: true, Timeout: time.Minute}
	app := model.UnitName{Application: "app"}
	ours := effect.Receipt{Task: "task/found", Key: "1", Unit: app, Token: 33, State: effect.ClaimOpen}

	if a, ok := only(t, founding(nil, task)).(unit.OpenClaim); !ok || a.Claim.Token != 9 || a.Claim.Deadline != 2*time.Minute {
		t.Errorf("without a claim: %+v", a)
	}
	if a, ok := only(t, founding([]effect.Receipt{ours}, task)).(unit.Perform); !ok || a.Token != 33 || a.Step.Kind != effect.Run {
		t.Errorf("under its own claim: %+v", a)
	}
	theirs := ours
	theirs.Unit.Number = 7
	if a, ok := only(t, founding([]effect.Receipt{theirs}, task)).(unit.OpenClaim); !ok || a.Claim.Token != 9 {
		t.Errorf("under another's claim, its own is asked for, to be had once that is overdue: %+v", a)
	}
	once := task
	once.Idempotent, once.Yields = false, map[effect.ProbeID]string{"found": "true"}
	if a := only(t, founding([]effect.Receipt{theirs}, once)); a != nil {
		t.Errorf("under another's claim of what is done at most once: %+v", a)
	}
	done := theirs
	done.State = effect.ClaimDone
	if a, ok := only(t, founding([]effect.Receipt{done}, task)).(unit.Perform); !ok || a.Step.Kind != effect.Update {
		t.Errorf("when another has done it, it is only noted: %+v", a)
	}
	if a, ok := only(t, founding([]effect.Receipt{ours})).(unit.CloseClaim); !ok || a.Outcome.Failed == "" || a.Outcome.Token != 33 {
		t.Errorf("a claim of what is no longer wanted: %+v", a)
	}
	lapsed := founding([]effect.Receipt{ours}, task)
	lapsed.LeadsUntil = lapsed.Now
	answer(&lapsed, []effect.Task{task})
	if a := only(t, lapsed); a != nil {
		t.Errorf("when leadership has lapsed: %+v", a)
	}
}

func TestWhatIsDoneIsClaimedAgainOnlyWhereItsOutcomeIsKnownToBeLost(t *testing.T) {
	task := effect.Task{ID: "task/configure", Key: "4MB", Scope: effect.ApplicationScope, Idempotent: true, Yields: map[effect.ProbeID]string{"configured": "4MB"}}
	done := effect.Receipt{Task: "task/configure", Key: "4MB", Unit: model.UnitName{Application: "app", Number: 1}, Token: 33, State: effect.ClaimDone}
	next := func(task effect.Task, r effect.Receipt, facts map[effect.ProbeID]effect.Fact) unit.Action {
		s := founding([]effect.Receipt{r}, task)
		s.Facts = facts
		answer(&s, []effect.Task{task})
		return only(t, s)
	}
	lost := map[effect.ProbeID]effect.Fact{"configured": {Value: "8MB"}}
	if a, ok := next(task, done, lost).(unit.OpenClaim); !ok || a.Claim.Supersedes != 33 || a.Claim.Token != 9 {
		t.Errorf("where its outcome is lost: %+v", a)
	}
	failed := done
	failed.State = effect.ClaimFailed
	if a, ok := next(task, failed, lost).(unit.OpenClaim); !ok || a.Claim.Supersedes != 0 {
		t.Errorf("after a failure nothing is replaced: %+v", a)
	}
	once := task
	once.Yields = nil
	for name, a := range map[string]unit.Action{
		"where its outcome holds":    next(task, done, map[effect.ProbeID]effect.Fact{"configured": {Value: "4MB"}}),
		"where nothing is known":     next(task, done, nil),
		"where it yields no outcome": next(once, done, lost),
	} {
		if p, ok := a.(unit.Perform); !ok || p.Step.Kind != effect.Update {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestARefusedClaimDelaysNoneForAnotherKey(t *testing.T) {
	task := effect.Task{ID: "task/configure", Key: "4MB", Scope: effect.ApplicationScope, Idempotent: true}
	s := founding(nil, task)
	refused := only(t, s)
	s.Failures = map[string]unit.Failure{refused.Key(): {Text: "refused", Times: 9, RetryAt: s.Now.Add(time.Minute)}}
	if a := only(t, s); a != nil {
		t.Errorf("at once after it was refused: %+v", a)
	}
	task.Key = "16MB"
	answer(&s, []effect.Task{task})
	if a, ok := only(t, s).(unit.OpenClaim); !ok || a.Claim.Key != "16MB" {
		t.Errorf("for another key: %+v", a)
	}
}

func TestATaskThatWasFoundDoneClosesTheClaimThatIsOpen(t *testing.T) {
	task := effect.Task{ID: "task/found", Key: "1", Scope: effect.ApplicationScope}
	s := founding([]effect.Receipt{{Task: "task/found", Key: "1", Unit: model.UnitName{Application: "app"}, Token: 33, State: effect.ClaimOpen}}, task)
	step := effect.Step{Kind: effect.Conclude, ID: task.ID, Effect: effect.Effect{Task: &task}}
	s.Journal = s.Journal.Apply(unit.Entry{Opened: &step}).Apply(unit.Entry{Done: &unit.Ended{Step: step, Outcome: &unit.Outcome{Task: task}}})
	a, ok := only(t, s).(unit.CloseClaim)
	if !ok || a.Outcome.Token != 33 || a.Outcome.Failed != "" {
		t.Fatalf("next = %+v", a)
	}
	if s.Journal = s.Journal.Apply(unit.Entry{Committed: &a.Outcome}); len(s.Journal.Outcomes) != 0 {
		t.Errorf("outcomes = %+v after they were committed", s.Journal.Outcomes)
	}
}
