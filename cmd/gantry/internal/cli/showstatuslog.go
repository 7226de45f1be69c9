package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// statusTypes are what show-status-log selects by, as Juju names them too.
var statusTypes = map[string]string{
	"workload": "workload", "unit": "", "agent": "agent", "juju-unit": "agent",
	"application": "application", "machine": "machine", "juju-machine": "machine",
}

func newShowStatusLog(sh *shell) *cobra.Command {
	var o span
	var kind string
	cmd := &cobra.Command{
		Use:     "show-status-log UNIT|APPLICATION|MACHINE",
		Short:   "Show how a unit, an application or a machine fared",
		Long:    "Show how a unit, an application or a machine fared: each status from when it\nheld. A unit has two: that of its workload and that of its agent.",
		Example: "  gantry show-status-log postgresql/0 --type workload",
		Args:    exactly("an entity"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			only, known := statusTypes[kind]
			if kind != "" && !known {
				return fmt.Errorf("--type %q: expected workload, agent, application or machine%s: %w",
					kind, model.DidYouMean(kind, []string{"workload", "agent", "application", "machine"}), model.ErrInvalid)
			}
			q, err := o.query(s, args[0])
			if err != nil {
				return err
			}
			list, err := s.client.StatusLog(ctx, q)
			if err != nil {
				return err
			}
			list = slices.DeleteFunc(list, func(e operator.StatusEntry) bool { return only != "" && e.Kind != only })
			return s.answer(list, func(w io.Writer) { writeStatusLog(w, s.palette(), list) })
		}),
	}
	o.register(cmd.Flags(), "statuses")
	cmd.Flags().StringVar(&kind, "type", "", "only workload, agent, application or machine")
	return cmd
}

func writeStatusLog(w io.Writer, p palette, list []operator.StatusEntry) {
	if len(list) == 0 {
		fmt.Fprintln(w, "No status is recorded.")
		return
	}
	several := slices.ContainsFunc(list, func(e operator.StatusEntry) bool { return e.Entity != list[0].Entity })
	t := &table{}
	t.row("Time", "Entity", "Type", "Status", "Message")
	for _, e := range list {
		entity := ""
		if several {
			_, entity, _ = strings.Cut(e.Entity, "/")
		}
		var level model.Level
		_ = level.UnmarshalText([]byte(e.Status)) // an agent's words have no colour
		t.add(cell{text: clock(e.Time)}, cell{text: entity}, cell{text: e.Kind},
			cell{e.Status, func(text string) string { return p.level(level, text) }}, cell{text: oneLine(e.Message)})
	}
	t.write(w)
}
