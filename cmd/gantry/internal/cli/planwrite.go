package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// writePlan writes a plan: the model's changes, where units go, and what
// happens on each of their machines.
func writePlan(w io.Writer, p palette, plan operator.Planned) {
	if !changes(plan) {
		fmt.Fprintf(w, "no changes (at revision %d)\n", plan.Revision)
		return
	}
	fmt.Fprintf(w, "Plan for revision %d\n", plan.Revision)
	if len(plan.Differences) > 0 {
		fmt.Fprintln(w, "\n"+p.bold("Model"))
		for _, d := range plan.Differences {
			fmt.Fprintln(w, "  "+differenceLine(p, d))
		}
	}
	if len(plan.Placements) > 0 {
		fmt.Fprintln(w, "\n"+p.bold("Machines"))
		for _, at := range plan.Placements {
			machine := "machine " + string(at.Machine)
			if at.New {
				machine = "new " + machine
			}
			fmt.Fprintf(w, "  %s %s on %s\n", p.green("+"), at.Unit, machine)
		}
	}
	for _, u := range plan.Units {
		fmt.Fprintln(w, "\n"+p.bold(u.Unit.String()))
		for _, e := range u.Effects {
			writeEffect(w, p, e)
		}
	}
	fmt.Fprintln(w, "\n"+planSummary(plan))
}

func writeEffect(w io.Writer, p palette, e operator.PlannedEffect) {
	line := fmt.Sprintf("  %s %s %s", sign(p, e.Action), e.Action, e.Effect)
	if e.Detail != "" {
		line += ": " + e.Detail
	}
	var notes []string
	if e.Certainty != operator.Certain {
		notes = append(notes, string(e.Certainty))
	}
	if e.Disrupts {
		notes = append(notes, p.yellow("disrupts"))
	}
	if e.Destroys {
		notes = append(notes, p.red("destroys data"))
	}
	if e.Turn != "" {
		notes = append(notes, "waits for turn "+e.Turn)
	}
	if len(notes) > 0 {
		line += " (" + strings.Join(notes, ", ") + ")"
	}
	fmt.Fprintln(w, line)
	for _, text := range strings.Split(strings.TrimRight(e.Diff, "\n"), "\n") {
		if text != "" {
			fmt.Fprintln(w, "      "+diffLine(p, text))
		}
	}
}

// diffLine colours one line of a unified diff.
func diffLine(p palette, text string) string {
	switch {
	case strings.HasPrefix(text, "+"):
		return p.green(text)
	case strings.HasPrefix(text, "-"):
		return p.red(text)
	case strings.HasPrefix(text, "@"):
		return p.faint(text)
	}
	return text
}

// planSummary counts what an operator decides by.
func planSummary(plan operator.Planned) string {
	effects, disrupting, destroying, machines := 0, 0, 0, map[string]bool{}
	for _, u := range plan.Units {
		for _, e := range u.Effects {
			effects++
			if e.Disrupts {
				disrupting++
			}
			if e.Destroys {
				destroying++
			}
		}
	}
	for _, at := range plan.Placements {
		if at.New {
			machines[string(at.Machine)] = true
		}
	}
	text := counted(len(plan.Differences), "change") + " to the model"
	for _, part := range []struct {
		n    int
		text string
	}{
		{len(machines), counted(len(machines), "new machine")},
		{effects, counted(effects, "effect")},
		{disrupting, fmt.Sprintf("%d disrupting", disrupting)},
		{destroying, fmt.Sprintf("%d destroying data", destroying)},
	} {
		if part.n > 0 {
			text += ", " + part.text
		}
	}
	return text + "."
}
