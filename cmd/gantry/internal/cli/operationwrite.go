package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// targetOf is where an operation runs.
func targetOf(o operator.Operation) string {
	if o.Unit.IsZero() {
		return "machine " + string(o.Machine)
	}
	return o.Unit.String()
}

// taskOf is what an operation runs.
func taskOf(o operator.Operation) string {
	if o.Kind == effect.ExecOperation {
		return strings.Join(o.Command, " ")
	}
	return o.Action
}

func operationsText(list []operator.Operation) string {
	var parts []string
	for _, o := range list {
		parts = append(parts, fmt.Sprintf("operation %s: %s on %s", o.ID, taskOf(o), targetOf(o)))
	}
	return strings.Join(parts, ", ")
}

func writeStarted(list []operator.Operation) func(io.Writer) {
	return func(w io.Writer) {
		for _, o := range list {
			fmt.Fprintf(w, "%s on %s: operation %s\n", taskOf(o), targetOf(o), o.ID)
		}
	}
}

// writeOperations writes the results of operations, one block each.
func writeOperations(p palette, list []operator.Operation) func(io.Writer) {
	return func(w io.Writer) {
		for _, o := range list {
			writeOperation(w, p, o)
		}
	}
}

func writeOperation(w io.Writer, p palette, o operator.Operation) {
	state := p.yellow(o.State)
	switch o.State {
	case "done":
		state = p.green(o.State)
	case "failed":
		state = p.red(o.State)
	}
	fmt.Fprintf(w, "%s %s: %s", p.bold(targetOf(o)), taskOf(o), state)
	if !o.Ended.IsZero() {
		fmt.Fprintf(w, " after %s", o.Ended.Sub(o.Asked).Round(10e6))
	}
	fmt.Fprintln(w)
	if o.Result == nil {
		return
	}
	if o.Result.Failed != "" {
		indented(w, o.Result.Failed)
	}
	for _, key := range slices.Sorted(maps.Keys(o.Result.Output)) {
		value := strings.TrimRight(o.Result.Output[key], "\n")
		if strings.Contains(value, "\n") {
			fmt.Fprintf(w, "  %s:\n", key)
			indented(w, "  "+strings.ReplaceAll(value, "\n", "\n  "))
			continue
		}
		fmt.Fprintf(w, "  %s: %s\n", key, value)
	}
	indented(w, o.Result.Stdout)
	indented(w, o.Result.Stderr)
	indented(w, o.Result.Truncated)
}

func indented(w io.Writer, text string) {
	if text = strings.TrimRight(text, "\n"); text != "" {
		fmt.Fprintln(w, "  "+strings.ReplaceAll(text, "\n", "\n  "))
	}
}

// failures is an error that names the operations that failed.
func failures(list []operator.Operation) error {
	var failed []string
	for _, o := range list {
		if o.State == "failed" {
			failed = append(failed, fmt.Sprintf("%s failed on %s: %s", taskOf(o), targetOf(o),
				cmp.Or(firstLine(o.Result.Failed), fmt.Sprintf("exit code %d", o.Result.Code))))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(failed, "\n"))
}
