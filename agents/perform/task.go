package perform

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// DefaultTaskTimeout bounds a task that names no timeout.
const DefaultTaskTimeout = 60 * time.Second

// yieldInterval is how often a postcondition is read until it holds.
const yieldInterval = 500 * time.Millisecond

// RunExec runs a command or call to its end and returns its result: what a
// call returned, or a command's standard output, trimmed.
func RunExec(ctx context.Context, secrets Secrets, caller Caller, x effect.Exec, token uint64) (string, error) {
	if x.Call != "" {
		args, err := renderAll(ctx, secrets, x.Args)
		if err != nil {
			return "", fmt.Errorf("arguments of call %s: %w", x.Call, err)
		}
		return caller.Call(ctx, x.Call, args, x.User, token)
	}
	return runCommand(ctx, secrets, x, nil)
}

// RunTask runs what a task runs, as RunExec does; a command leaves its outcome.
func RunTask(ctx context.Context, secrets Secrets, caller Caller, x effect.Exec, token uint64, keep Outcome) (string, error) {
	if x.Call != "" {
		return RunExec(ctx, secrets, caller, x, token)
	}
	return runCommand(ctx, secrets, x, &keep)
}

func runCommand(ctx context.Context, secrets Secrets, x effect.Exec, keep *Outcome) (string, error) {
	command, err := commandOf(ctx, secrets, x)
	if err != nil {
		return "", err
	}
	command.Keep = keep
	out, err := command.Run(ctx)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(out.Stdout), out.failure(strings.Join(command.Argv, " "))
}

// TaskTimeout is how long a task may take, its postcondition included.
func TaskTimeout(t effect.Task) time.Duration {
	if t.Timeout > 0 {
		return t.Timeout
	}
	return DefaultTaskTimeout
}

// AwaitYields reads the probes of a postcondition until all of them have
// their values or ctx ends.
func AwaitYields(ctx context.Context, secrets Secrets, caller Caller, yields map[effect.ProbeID]string, probes []effect.Probe) error {
	for {
		missing := unmet(ctx, secrets, caller, yields, probes)
		if missing == "" {
			return nil
		}
		timer := time.NewTimer(yieldInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("postcondition: %s: %w", missing, ctx.Err())
		case <-timer.C:
		}
	}
}

// Yields reports whether a postcondition is known to hold, and whether it is
// known not to. A probe that cannot be read says neither.
func Yields(ctx context.Context, secrets Secrets, caller Caller, yields map[effect.ProbeID]string, probes []effect.Probe) (held, broken bool) {
	read := 0
	for _, p := range probes {
		want, asked := yields[p.ID]
		if !asked {
			continue
		}
		got, err := ReadProbe(ctx, secrets, caller, p)
		if err == nil && got == want {
			read++
		}
		broken = broken || err == nil && got != want
	}
	return len(yields) > 0 && read == len(yields), broken
}

// unmet names the first probe without its value.
func unmet(ctx context.Context, secrets Secrets, caller Caller, yields map[effect.ProbeID]string, probes []effect.Probe) string {
	declared := map[effect.ProbeID]bool{}
	for _, p := range probes {
		declared[p.ID] = true
		want, asked := yields[p.ID]
		if !asked {
			continue
		}
		got, err := ReadProbe(ctx, secrets, caller, p)
		if err != nil {
			return err.Error()
		}
		if got != want {
			return fmt.Sprintf("probe %s is %q, not %q", p.ID, got, want)
		}
	}
	for id := range yields {
		if !declared[id] {
			return fmt.Sprintf("probe %s is not declared", id)
		}
	}
	return ""
}
