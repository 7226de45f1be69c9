package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// errUnwell ends an examination that found something bad.
var errUnwell = errors.New("something is bad: see above")

// consultation is how long a controller may take to say how it fares.
const consultation = 15 * time.Second

func newDoctor(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check this host and the controllers, and say what to do",
		Long: `Check this host (kernel, cgroups, limits, clock, disk) and, by way of the
controller, quorum, the ways between controllers and agents, clocks, disks,
certificates, backups, history, agents and versions. Each finding says what is
amiss, why it matters and what to do. What concerns this host is checked without
a controller as well.

The exit code is 1 where a finding is bad.`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := sh.local()
			findings = append(findings, sh.remote(cmd.Context())...)
			s := &session{shell: sh}
			if err := s.answer(findings, func(w io.Writer) { writeFindings(w, sh.palette(), findings) }); err != nil {
				return err
			}
			for _, f := range findings {
				if f.Level == operator.FindingBad {
					return errUnwell
				}
			}
			return nil
		},
	}
}

func (sh *shell) local() []operator.Finding {
	if sh.Local == nil {
		return []operator.Finding{}
	}
	return sh.Local()
}

// remote asks the controller, whose silence is a finding too.
func (sh *shell) remote(ctx context.Context) []operator.Finding {
	ctx, cancel := context.WithTimeout(ctx, consultation)
	defer cancel()
	health, err := sh.health(ctx)
	one := operator.Finding{Check: "controller", Level: operator.FindingOK, What: "it answers"}
	switch {
	case errors.Is(err, model.ErrNotFound):
		one.Level, one.What = operator.FindingWarn, "none is known here: "+err.Error()
		one.Why, one.Do = "only this host was checked", "gantry up, or gantry login"
	case err != nil:
		one.Level, one.What = operator.FindingBad, err.Error()
		one.Why, one.Do = "services go on, and nothing can be changed", "see that it runs: gantry up, and its log"
	}
	return append([]operator.Finding{one}, health.Findings...)
}

func (sh *shell) health(ctx context.Context) (operator.Health, error) {
	where, err := sh.identity()
	if err != nil {
		return operator.Health{}, err
	}
	c, err := client.Dial(where)
	if err != nil {
		return operator.Health{}, err
	}
	defer c.Close()
	health, err := c.Health(ctx)
	for err == nil && health.Time.IsZero() { // it has only begun to lead
		select {
		case <-ctx.Done():
			return health, nil
		case <-time.After(retryEvery):
		}
		health, err = c.Health(ctx)
	}
	return health, err
}

func writeFindings(w io.Writer, p palette, findings []operator.Finding) {
	for _, f := range findings {
		mark := p.green("ok  ")
		switch f.Level {
		case operator.FindingWarn:
			mark = p.yellow("warn")
		case operator.FindingBad:
			mark = p.red("bad ")
		}
		fmt.Fprintf(w, "%s %s: %s\n", mark, p.bold(f.Check), f.Text())
		if f.Level == operator.FindingOK {
			continue
		}
		fmt.Fprintf(w, "       why: %s\n       do:  %s\n", f.Why, f.Do)
	}
}

// sayDegraded tells beside the list of controllers why they are less than they
// should be.
func (s *session) sayDegraded(ctx context.Context) {
	health, err := s.client.Health(ctx)
	if err != nil {
		return // the list is what was asked for
	}
	for _, cause := range health.Degraded() {
		fmt.Fprintf(s.Stdout, "HA degraded: %s\n", cause)
	}
}
