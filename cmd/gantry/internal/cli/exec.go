package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type execOptions struct {
	units, machines []string
	applications    []string
	background      bool
	timeout         time.Duration
	reason          string
}

func newExec(sh *shell) *cobra.Command {
	o := &execOptions{}
	cmd := &cobra.Command{
		Use:     "exec (--unit UNIT | --application APPLICATION | --machine MACHINE)... -- COMMAND...",
		Short:   "Run a command on the machines of units",
		Example: "  gantry exec --unit postgresql/leader -- df -h",
		Args:    atLeast("a command"),
		RunE:    sh.connected(o.run),
	}
	cmd.Flags().StringSliceVarP(&o.units, "unit", "u", nil, "unit, or APPLICATION/leader; may be repeated")
	cmd.Flags().StringSliceVarP(&o.applications, "application", "a", nil, "all units of an application; may be repeated")
	cmd.Flags().StringSliceVar(&o.machines, "machine", nil, "machine by its number; may be repeated")
	cmd.Flags().BoolVar(&o.background, "background", false, "do not wait: print the operations' ids")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0, "give up after this long, such as 30s")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the operations")
	return cmd
}

func (o *execOptions) run(ctx context.Context, s *session, args []string) error {
	request, err := o.request(ctx, s, args)
	if err != nil {
		return err
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	started, err := commit(ctx, s, "starting "+args[0], func(ctx context.Context) ([]operator.Operation, error) {
		return s.client.Exec(ctx, request)
	})
	if err != nil {
		return err
	}
	if len(started) > 1 || o.background || s.flags.output != "text" {
		return s.followOperations(ctx, started, o.background)
	}
	return s.execAlone(ctx, started)
}

func (o *execOptions) request(ctx context.Context, s *session, args []string) (operator.Exec, error) {
	change := changeOptions{reason: o.reason}
	r := operator.Exec{Change: change.change(), Model: s.model, Units: o.units, Command: args, Timeout: o.timeout}
	if err := unitsOnly("exec", o.units); err != nil {
		return r, err
	}
	var err error
	if r.Machines, err = parseAll(o.machines, model.ParseMachineName); err != nil {
		return r, err
	}
	apps, err := parseAll(o.applications, model.ParseApplicationName)
	if err != nil {
		return r, err
	}
	for _, app := range apps {
		detail, err := s.client.ShowApplication(ctx, s.model, app)
		if err != nil {
			return r, err
		}
		for _, u := range detail.Units {
			r.Units = append(r.Units, u.Name.String())
		}
	}
	if len(r.Units)+len(r.Machines) == 0 {
		return r, fmt.Errorf("exec: expected --unit, --application or --machine to say where: %w", model.ErrInvalid)
	}
	return r, nil
}

// execAlone passes the one command's streams and exit code through.
func (s *session) execAlone(ctx context.Context, started []operator.Operation) error {
	if len(started) == 0 {
		return errors.New("exec: the controller started nothing; see gantry operations")
	}
	under := s.begin(operationsText(started))
	ended, err := s.awaitOperations(ctx, started, under)
	under.end()
	if err != nil {
		return err
	}
	result := ended[0].Result
	io.WriteString(s.Stdout, result.Stdout)
	io.WriteString(s.Stderr, result.Stderr)
	if result.Truncated != "" {
		fmt.Fprintf(s.Stderr, "gantry: operation %s: %s\n", ended[0].ID, result.Truncated)
	}
	switch {
	case result.Failed != "":
		return fmt.Errorf("%s on %s: %s", strings.Join(ended[0].Command, " "), targetOf(ended[0]), result.Failed)
	case result.Code != 0:
		return statusError(result.Code)
	}
	return nil
}
