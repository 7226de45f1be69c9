package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newOperations(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "operations",
		Aliases: []string{"list-operations"},
		Short:   "List what was run on the model's units",
		Args:    exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListOperations(ctx, s.model)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) { writeOperationTable(w, list) })
		}),
	}
}

func writeOperationTable(w io.Writer, list []operator.Operation) {
	if len(list) == 0 {
		fmt.Fprintln(w, "Nothing was run: gantry run UNIT ACTION.")
		return
	}
	t := &table{}
	t.row("Operation", "State", "Where", "Asked", "What")
	for _, o := range list {
		t.row(o.ID, o.State, targetOf(o), clock(o.Asked), taskOf(o))
	}
	t.write(w)
}

// clock writes a time as every table has it.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func newShowOperation(sh *shell) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "show-operation OPERATION",
		Short: "Show the results of an operation",
		Args:  exactly("an operation's id"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			under := s.begin("operation " + args[0])
			o, err := s.client.ShowOperation(ctx, s.model, args[0], wait)
			under.end()
			if err != nil {
				return err
			}
			return s.answer(o, func(w io.Writer) { writeOperation(w, s.palette(), o) })
		}),
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it has ended")
	return cmd
}
