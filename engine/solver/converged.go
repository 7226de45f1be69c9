package solver

import (
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Waiting is one thing that a model's convergence waits for.
type Waiting struct {
	Subject string
	Reason  string
	Blocked bool // a person must act: waiting longer does not help
}

// Converged reports whether a model has carried out a revision: every living
// unit has settled on its intent of now, nothing is leaving, no order is open
// and the solver is silent. Else it says what is waited for.
func Converged(s state.State, m model.ModelName, o *Observed, revision uint64) (bool, []Waiting) {
	p := newProblem(s, o)
	var waits []Waiting
	wait := func(subject, reason string, blocked bool) {
		waits = append(waits, Waiting{subject, reason, blocked})
	}
	row, ok := s.Model(m)
	switch {
	case s.Revision() < revision:
		wait("model "+string(m), fmt.Sprintf("revision %d is not known here yet", revision), false)
	case ok && row.Life != model.Alive:
		wait("model "+string(m), "it is being destroyed", false)
	case !s.Silent():
		wait("solver", fmt.Sprintf("it has answered entry %d of %d", s.SolvedThrough(), s.Disturbed()), false)
	}
	for _, a := range s.Applications(m) {
		if a.Life != model.Alive {
			wait(string(a.Name), "it is being removed", false)
		}
		if order, open := s.OpenOrder(a.Ref()); open {
			wait(string(a.Name), fmt.Sprintf("order %s is in stage %s", order.Name, order.StageName()), false)
		}
		for _, r := range s.DepartingRelations(a.Ref()) {
			if r.Ends[0].Application == a.Name {
				wait(fmt.Sprintf("relation %d", r.ID), "it is being removed", false)
			}
		}
		for _, u := range s.Units(a.Ref()) {
			if why, blocked := p.unsettledBecause(u); why != "" {
				wait(u.Name.String(), why, blocked)
			}
		}
	}
	for _, machine := range s.Machines(m) {
		if machine.Life != model.Alive {
			wait("machine "+string(machine.Name), "it is being removed", false)
		}
	}
	return len(waits) == 0, waits
}

// Settled reports whether a unit has carried out its intent of now.
func Settled(s state.State, o *Observed, u state.UnitRef) bool {
	r, heard := o.Reports[u]
	if !heard || !r.Settled {
		return false
	}
	k, wanted := o.Marks.of(s, u)
	return wanted && r.Hash == k.Hash && r.Serial >= k.Serial
}

// unsettledBecause says why a unit does not count as settled, "" where it does.
func (p *problem) unsettledBecause(u state.Unit) (why string, blocked bool) {
	m := p.host(u)
	switch {
	case u.Life != model.Alive:
		return p.leaving(u)
	case u.Machine == "":
		return "it has no machine", false
	case m.Fenced:
		return fmt.Sprintf("machine %s was acknowledged lost: remove the unit with --force", m.Name), true
	case m.State == state.MachineRequested:
		return fmt.Sprintf("machine %s is being made", m.Name), false
	}
	r, heard := p.seen.Reports[u.Ref()]
	var wanted effect.Known // which may take long where many see each other: only where it decides
	if heard && (r.Settled || r.Status.Level == model.Blocked) {
		wanted = p.wanted(u.Ref())
	}
	working := underWay(r)
	switch {
	case len(r.Flapping) > 0:
		return "it alternates: " + strings.Join(r.Flapping, ", "), true
	case heard && r.Status.Level == model.Blocked && r.Hash == wanted.Hash:
		return r.Status.Message, true
	case m.State == state.MachineLost || p.seen.Silent(m.Ref()):
		return fmt.Sprintf("the %s is not heard", agentOf(m)), false
	case p.seen.cut(m.Ref()):
		return fmt.Sprintf("the session of the %s ended, and it is not heard again yet", agentOf(m)), false
	case !heard:
		return "its agent has not reported it", false
	case !r.Settled:
		return working, false
	case r.Hash != wanted.Hash || r.Serial < wanted.Serial:
		return strings.TrimSuffix("taking up its newest intent; "+working, "; "), false
	}
	return "", false
}

// underWay is what a unit says of itself and, in brackets, what is done to it.
func underWay(r effect.Report) string {
	text := r.Status.Message
	switch {
	case text == "":
		text = r.Status.Level.String()
	case strings.HasPrefix(text, "for "):
		text = "waiting " + text
	}
	if len(r.Doing) > 0 {
		text += " (" + strings.Join(r.Doing, ", ") + ")"
	}
	return text
}
