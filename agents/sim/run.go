package sim

import (
	"bytes"
	"container/heap"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Bounds of a phase.
const (
	defaultLimit = time.Hour
	maxEvents    = 3_000_000
)

// simulation is one run.
type simulation struct {
	Scenario
	rng       *rand.Rand
	now       time.Time
	agenda    agenda
	serial    uint64
	trace     []string
	performed []Performed
	ctl       *controller
	machines  map[string]*machine // by UUID
	order     []*machine          // in the order in which they were made
	workloads map[model.ApplicationName]*workload
	err       error
	faulty    time.Time // until then faults may happen
}

// Run plays a scenario to its end, or to the first violation.
func Run(c Scenario) Result {
	s := &simulation{
		Scenario: c, rng: rand.New(rand.NewPCG(c.Seed, 0x67616e747279)), now: epoch,
		machines: map[string]*machine{}, workloads: map[model.ApplicationName]*workload{},
	}
	if s.Limit == 0 {
		s.Limit = defaultLimit
	}
	s.ctl = newController(s)
	var r Result
	changes := append([]Change{{Name: "apply the bundle", Ops: s.deploy}}, c.Changes...)
	for _, change := range changes {
		r.Phases = append(r.Phases, s.phase(change))
		if s.err != nil {
			break
		}
	}
	r.Trace, r.State, r.Err = s.trace, s.ctl.state, s.err
	r.Hash = hashOf(r)
	return r
}

// hashOf identifies all that a run did.
func hashOf(r Result) string {
	var b bytes.Buffer
	if err := r.State.Encode(&b); err != nil {
		panic("sim: the state does not encode: " + err.Error())
	}
	b.WriteString(strings.Join(r.Trace, "\n"))
	sum := sha256.Sum256(b.Bytes())
	return hex.EncodeToString(sum[:])
}

// phase makes a change and lets everything take its course.
func (s *simulation) phase(c Change) Phase {
	p := Phase{Name: c.Name}
	s.logf("%s", c.Name)
	s.performed = nil
	began := s.now
	p.Planned = s.change(c)
	s.plantFaults()
	deadline := s.faulty.Add(s.Limit)
	for n := 0; s.err == nil; n++ {
		if s.rested(c.Blocks) {
			break
		}
		if len(s.agenda) == 0 || s.now.After(deadline) || n > maxEvents {
			s.fail("%s: not converged after %v and %d events: %s", c.Name, s.now.Sub(began), n, s.waits())
			break
		}
		e := heap.Pop(&s.agenda).(event)
		s.now = e.at
		e.do()
	}
	p.Took, p.Performed = s.now.Sub(began), s.performed
	return p
}

// rested reports whether the model has converged and nothing is left that
// could go wrong in this phase.
func (s *simulation) rested(blocks bool) bool {
	if s.now.Before(s.faulty) || !s.ctl.up || !s.ctl.looked.Equal(s.now) || !s.ctl.quiet() {
		return false
	}
	ok, waits := solver.Converged(s.ctl.state, Model, s.ctl.seen, s.ctl.state.Revision())
	if ok == blocks || slices.ContainsFunc(waits, func(w solver.Waiting) bool { return !w.Blocked }) {
		return false
	}
	if commands, _ := solver.Solve(s.ctl.state, solver.Everything(), s.ctl.seen); len(commands) > 0 {
		s.fail("converged, and yet a full solve gives %+v", commands[0].Ops[0])
	}
	return true
}

// waits says what a model that does not converge waits for.
func (s *simulation) waits() string {
	_, waits := solver.Converged(s.ctl.state, Model, s.ctl.seen, s.ctl.state.Revision())
	_, blocked := solver.Solve(s.ctl.state, solver.Everything(), s.ctl.seen)
	var b strings.Builder
	for _, w := range waits {
		fmt.Fprintf(&b, "\n  %s: %s", w.Subject, w.Reason)
	}
	for _, x := range blocked {
		fmt.Fprintf(&b, "\n  %s is held by %s: %s", x.Subject, x.Holder, x.Reason)
	}
	return b.String()
}

func (s *simulation) logf(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%10.3f  ", s.now.Sub(epoch).Seconds())+fmt.Sprintf(format, args...))
}

// fail ends the run with what was violated; the first one counts.
func (s *simulation) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("seed %d: "+format, append([]any{s.Seed}, args...)...)
		s.logf("%v", s.err)
	}
}

// change proposes an operator's change, and says what it was planned to do.
func (s *simulation) change(c Change) (planned operator.Planned) {
	ops, err := c.Ops(s.ctl.state)
	command := state.Command{Origin: state.Operator, Author: "operator", Reason: c.Name, Ops: ops}
	if err == nil && s.Plan {
		planned, err = s.plan(command)
	}
	if err == nil {
		_, err = s.ctl.apply(command)
	}
	if err != nil {
		s.fail("%s: %v", c.Name, err)
	}
	return planned
}
