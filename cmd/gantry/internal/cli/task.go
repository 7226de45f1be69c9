package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newTask(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "task",
		Short: "See tasks of applications, and decide those of unknown outcome",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTaskList(sh), newTaskResolve(sh))
	return cmd
}

func newTaskList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tasks that applications have claimed",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListTasks(ctx, s.model)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) {
				t := &table{}
				t.row("Application", "Task", "Key", "State", "Unit", "Deadline")
				for _, task := range list {
					t.row(string(task.Application), task.ID, task.Key, task.State, task.Unit.String(), clock(task.Deadline))
				}
				t.writeOr(w, "No task was claimed.")
			})
		}),
	}
}

type taskResolveOptions struct {
	changeOptions
	done, failed bool
	key          string
}

func newTaskResolve(sh *shell) *cobra.Command {
	o := &taskResolveOptions{}
	cmd := &cobra.Command{
		Use:   "resolve (APPLICATION | UNIT) TASK (--done | --failed)",
		Short: "Say how a task ended whose run was cut short",
		Long: `Say how a task ended whose run was cut short, so that nobody knows: a task that
an application runs once, which task list shows, or a unit's own, which the
unit's status names.`,
		Args: exactly("an application or a unit", "a task"),
		RunE: sh.connected(o.run),
	}
	cmd.Flags().BoolVar(&o.done, "done", false, "it had its effect")
	cmd.Flags().BoolVar(&o.failed, "failed", false, "it had none, and may run again")
	cmd.Flags().StringVar(&o.key, "key", "", "key of the run, where the task has several open")
	o.register(cmd)
	return cmd
}

func (o *taskResolveOptions) run(ctx context.Context, s *session, args []string) error {
	if o.done == o.failed {
		return fmt.Errorf("task resolve: expected --done or --failed, one of them: %w", model.ErrInvalid)
	}
	request := operator.ResolveTask{Change: o.change(), Model: s.model, Task: args[1], Done: o.done}
	var err error
	if strings.Contains(args[0], "/") {
		request.Unit, err = model.ParseUnitName(args[0])
	} else if request.Application, err = model.ParseApplicationName(args[0]); err == nil {
		request.Key, err = o.openKey(ctx, s, request.Application, args[1])
	}
	if err != nil {
		return err
	}
	done, err := commit(ctx, s, "resolving task "+args[1], func(ctx context.Context) (operator.Committed, error) {
		return s.client.ResolveTask(ctx, request)
	})
	if err != nil {
		return err
	}
	return s.conclude(ctx, o.changeOptions, done, done, "resolved task %s of %s", args[1], args[0])
}

// openKey is the key that was given, or that of the task's one open run.
func (o *taskResolveOptions) openKey(ctx context.Context, s *session, app model.ApplicationName, task string) (string, error) {
	if o.key != "" {
		return o.key, nil
	}
	list, err := s.client.ListTasks(ctx, s.model)
	if err != nil {
		return "", err
	}
	var open []string
	for _, t := range list {
		if t.Application == app && t.ID == task && t.State == "open" {
			open = append(open, t.Key)
		}
	}
	switch len(open) {
	case 0:
		return "", fmt.Errorf("application %s has no open task %q; see gantry task list: %w", app, task, model.ErrNotFound)
	case 1:
		return open[0], nil
	}
	return "", fmt.Errorf("task %s of %s is open under the keys %q; name one with --key: %w", task, app, open, model.ErrConflict)
}
