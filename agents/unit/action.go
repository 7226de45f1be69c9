package unit

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Action is one thing to do next. Key identifies it while it runs and when it
// fails; actions of different keys may be carried out at the same time.
type Action interface {
	Key() string
	action()
}

// Ask asks the charm. Its outcome is State.Answer, and a Round where the
// effects differ from those before. Input.Now is journaled first.
type Ask struct {
	Input effect.Input
	For   string // of the answer: HashInput
}

// Confirm reads the probes at once, asks the charm with what they say, and
// notes the steps in Answer.Confirmed.
type Confirm struct {
	Steps  []string // keys of Perform
	Probes []effect.Probe
}

// Perform carries a step out on the host: journal Begun or Opened, do it,
// journal Done. It uses up its confirmation.
type Perform struct {
	Step  effect.Step
	Token uint64 // of the claim, for a task of application scope
}

// Adopt journals as Done a service's step that a crash cut short after it had
// done its work.
type Adopt struct{ Step effect.Step }

// GiveBack journals that the unit will not act under the grants again.
type GiveBack struct{ Grants []effect.Grant }

// Publish has a publication committed.
type Publish struct{ Publication effect.Publication }

// PutSecret has a secret made: from its spec, or as the sealed result of a
// task, which is then journaled as Committed.
type PutSecret struct {
	Spec    effect.SecretSpec
	Token   uint64 // of leadership, in application scope
	Outcome *Outcome
}

// OpenClaim asks for the right to run a task of application scope. The answer
// comes as a receipt in the intent.
type OpenClaim struct{ Claim effect.Claim }

// CloseClaim commits a task's outcome, which is then journaled as Committed.
type CloseClaim struct{ Outcome Outcome }

// SendReport tells the controller how the unit fares.
type SendReport struct{ Report effect.Report }

// SetTimer has Step asked again at a time.
type SetTimer struct{ At time.Time }

// Clear removes the unit's own directories after the last effect is undone,
// but for those that hold data; journal Cleared.
type Clear struct{}

// Forget removes the journal: the unit is gone.
type Forget struct{}

// Key is the same for all asks: one runs at a time.
func (Ask) Key() string { return "ask" }

// Key is that of Ask: a confirmation asks too.
func (Confirm) Key() string { return "ask" }

// Key names the effect, on which one step runs at a time.
func (p Perform) Key() string { return stepKey(p.Step) }

// Key is that of performing the step.
func (a Adopt) Key() string { return stepKey(a.Step) }

// Key is the same for all grants.
func (GiveBack) Key() string { return "give back" }

// Key is the same for all publications of a unit.
func (Publish) Key() string { return "publish" }

// Key names the secret.
func (p PutSecret) Key() string { return "secret " + string(p.Spec.Scope) + " " + p.Spec.Name }

// Key names the task and its key: one that is refused delays no other.
func (o OpenClaim) Key() string { return "claim " + o.Claim.Task + " " + o.Claim.Key }

// Key names the task.
func (c CloseClaim) Key() string { return "close " + string(c.Outcome.Task.ID) }

// Key is the same for all reports.
func (SendReport) Key() string { return "report" }

// Key is the same for all timers.
func (SetTimer) Key() string { return "timer" }

// Key is the same for all units.
func (Clear) Key() string { return "clear" }

// Key is the same for all units.
func (Forget) Key() string { return "forget" }

func (Ask) action()        {}
func (Confirm) action()    {}
func (Perform) action()    {}
func (Adopt) action()      {}
func (GiveBack) action()   {}
func (Publish) action()    {}
func (PutSecret) action()  {}
func (OpenClaim) action()  {}
func (CloseClaim) action() {}
func (SendReport) action() {}
func (SetTimer) action()   {}
func (Clear) action()      {}
func (Forget) action()     {}

// stepKey identifies what a step does, in full: a step whose effect changed is
// another, which was neither confirmed nor tried yet.
func stepKey(s effect.Step) string {
	s.Why, s.After = "", nil
	return "step " + s.Name() + " " + hashOf(s)[:12]
}
