package effect

import "fmt"

// task decides whether a task runs. Done under its key it never runs again,
// unless its Yields are known to be false.
func (d *differ) task(t Task) {
	was, journaled := d.was.task(t)
	receipt, claimed := d.receipt(t)
	done := journaled && !was.Open || claimed && receipt.State == ClaimDone
	held, broken := d.yields(t)
	step := Step{Kind: Run, ID: t.ID, Effect: Effect{Task: &t}, Disrupts: t.Turn != nil, Turn: t.Turn}
	if t.Scope == ApplicationScope && !d.seen.Live.Leader {
		d.blocked[t.ID] = !done
		return
	}
	switch {
	case done && !broken && (!journaled || was.stale(step.Effect)):
		step.Kind, step.Disrupts, step.Turn, step.Why = Update, false, nil, "what is kept of it changed"
	case done && !broken:
		return
	case done:
		step.Why = "its outcome no longer holds"
	case t.Scope == ApplicationScope && claimed && receipt.State == ClaimOpen && receipt.Unit != d.seen.Spec.Unit:
		// Once that claim is overdue another is granted, if the task may simply
		// run again; until then it is refused, so it is safe to ask.
		if !t.Idempotent {
			d.obstruct(t.ID, false, "%s runs it under an open claim", receipt.Unit)
			return
		}
		step.Why = fmt.Sprintf("%s runs it, or did until its claim is overdue", receipt.Unit)
	case journaled && held:
		step.Kind, step.Disrupts, step.Turn, step.Why = Conclude, false, nil, "it was cut short, and its outcome holds"
	case journaled && !t.Idempotent:
		d.obstruct(t.ID, true, "it was cut short and its outcome is unknown: look, then run `gantry task resolve %s %s`", d.seen.Spec.Unit, t.ID)
		return
	case journaled:
		step.Why = "it was cut short"
	default:
		step.Why = "not done for key " + t.Key
	}
	d.add(step)
}

// yields reports whether a task's postcondition is known to hold, and whether
// it is known not to.
func (d *differ) yields(t Task) (held, broken bool) {
	held = len(t.Yields) > 0
	for probe, value := range t.Yields {
		fact, known := d.seen.Facts[probe]
		held = held && known && fact.Value == value
		broken = broken || known && fact.Value != value
	}
	return held, broken
}

func (d *differ) receipt(t Task) (Receipt, bool) {
	if t.Scope != ApplicationScope {
		return Receipt{}, false
	}
	for _, r := range d.seen.Live.Receipts {
		if r.Task == string(t.ID) && r.Key == t.Key {
			return r, true
		}
	}
	return Receipt{}, false
}
