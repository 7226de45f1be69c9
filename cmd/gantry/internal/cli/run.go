package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type runOptions struct {
	params     string
	texts      bool
	background bool
	timeout    time.Duration
	reason     string
}

func newRun(sh *shell) *cobra.Command {
	o := &runOptions{}
	cmd := &cobra.Command{
		Use:   "run UNIT... ACTION [PARAMETER=VALUE...]",
		Short: "Run an action on units and print its results",
		Long: `Run an action that the charm declares, and wait for its results. APPLICATION/leader
is the unit that leads. An action of kind order takes the application's name or a
unit of it; its stages are followed to the end.`,
		Example: `  gantry run postgresql/leader create-backup type=full
  gantry run postgresql restore restore-to-time="2026-03-01 12:00:00"`,
		Args: atLeast("a unit", "an action"),
		RunE: sh.connected(o.run),
	}
	cmd.Flags().StringVar(&o.params, "params", "", "YAML file of parameters; those of the command line win")
	cmd.Flags().BoolVar(&o.texts, "string-args", false, "take every value as text")
	cmd.Flags().BoolVar(&o.background, "background", false, "do not wait: print the operation's id")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0, "give up after this long, such as 10m")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the operation")
	return cmd
}

func (o *runOptions) run(ctx context.Context, s *session, args []string) error {
	targets, action, words, err := splitRun(args)
	if err != nil {
		return err
	}
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	app, err := targetApplication(targets[0])
	if err != nil {
		return err
	}
	detail, err := s.client.ShowApplication(ctx, s.model, app)
	if err != nil {
		return err
	}
	if kindOf(detail, action) == "order" {
		return o.order(ctx, s, app, action, words)
	}
	if err := unitsOnly("run", targets); err != nil {
		return err
	}
	params, err := parameters(o.params, words, o.texts)
	if err != nil {
		return err
	}
	change := changeOptions{reason: o.reason}
	request := operator.Run{Change: change.change(), Model: s.model, Units: targets, Action: action, Params: params, Timeout: o.timeout}
	started, err := commit(ctx, s, "starting "+action, func(ctx context.Context) ([]operator.Operation, error) {
		return s.client.Run(ctx, request)
	})
	if err != nil {
		return err
	}
	return s.followOperations(ctx, started, o.background)
}

func (o *runOptions) order(ctx context.Context, s *session, app model.ApplicationName, name string, words []string) error {
	params, err := parameters(o.params, words, true)
	if err != nil {
		return err
	}
	texts := map[string]string{}
	for key, value := range params {
		texts[key] = textOf(value)
	}
	start := orderStart{application: app, name: name, params: texts, reason: o.reason, background: o.background}
	return start.run(ctx, s)
}

// splitRun parts targets, which hold a slash or name the one application, from
// the action and its parameters.
func splitRun(args []string) (targets []string, action string, params []string, err error) {
	end := len(args)
	for end > 0 && strings.Contains(args[end-1], "=") {
		end--
	}
	if end < 2 {
		return nil, "", nil, fmt.Errorf("run: expected UNIT... ACTION before the parameters: %w", model.ErrInvalid)
	}
	targets, action, params = args[:end-1], args[end-1], args[end:]
	if strings.Contains(action, "/") {
		return nil, "", nil, fmt.Errorf("run: expected an action after the units, found the unit %s: %w", action, model.ErrInvalid)
	}
	return targets, action, params, nil
}

func targetApplication(target string) (model.ApplicationName, error) {
	name, _, _ := strings.Cut(target, "/")
	return model.ParseApplicationName(name)
}

// unitsOnly refuses targets that are neither app/n nor app/leader.
func unitsOnly(command string, targets []string) error {
	for _, target := range targets {
		if strings.HasSuffix(target, "/leader") {
			continue
		}
		if _, err := model.ParseUnitName(target); err != nil {
			return fmt.Errorf("%s: %w; name a unit, or %s/leader", command, err, strings.TrimSuffix(target, "/"))
		}
	}
	return nil
}

// kindOf is the kind of an action; unknown actions are the controller's to
// refuse.
func kindOf(a operator.ApplicationDetail, action string) string {
	for _, known := range a.Actions {
		if known.Name == action {
			return known.Kind
		}
	}
	return ""
}

// followOperations waits for operations to end and prints them. It fails when
// one did.
func (s *session) followOperations(ctx context.Context, started []operator.Operation, background bool) error {
	if background {
		return s.answer(started, writeStarted(started))
	}
	under := s.begin(operationsText(started))
	ended, err := s.awaitOperations(ctx, started, under)
	under.end()
	if err != nil {
		return err
	}
	if err := s.answer(ended, writeOperations(s.palette(), ended)); err != nil {
		return err
	}
	return failures(ended)
}

func (s *session) awaitOperations(ctx context.Context, started []operator.Operation, under *progress) ([]operator.Operation, error) {
	ended := make([]operator.Operation, 0, len(started))
	for i, op := range started {
		under.tell(operationsText(started[i:]))
		for {
			done, err := s.client.ShowOperation(ctx, s.model, op.ID, true)
			if err == nil {
				ended = append(ended, done)
				break
			}
			if ctx.Err() != nil || timedOut(ctx, err) {
				return nil, fmt.Errorf("%w: operation %s is under way still; see gantry show-operation %s", endedBy(ctx), op.ID, op.ID)
			}
			if !errors.Is(err, model.ErrUnavailable) {
				return nil, err
			}
			select {
			case <-ctx.Done():
			case <-time.After(retryEvery):
			}
		}
	}
	return ended, nil
}
