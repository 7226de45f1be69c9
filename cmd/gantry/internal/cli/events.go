package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

type eventsOptions struct {
	span
	watch bool
}

func newEvents(sh *shell) *cobra.Command {
	o := &eventsOptions{}
	cmd := &cobra.Command{
		Use:   "events [UNIT|APPLICATION|MACHINE]",
		Short: "Show every change that was committed",
		Long: `Show every change that was committed, oldest first: by whom, why and what it
touched, those too that follow from an operator's. With --watch more follow as
they are recorded; as JSON, one object a line then.`,
		Example: "  gantry events --watch --since 10m",
		Args:    between(0, 1, "an entity"),
		RunE:    sh.connected(o.run),
	}
	o.register(cmd.Flags(), "events")
	cmd.Flags().BoolVar(&o.watch, "watch", false, "go on as more are recorded, until interrupted")
	return cmd
}

func (o *eventsOptions) run(ctx context.Context, s *session, args []string) error {
	q, err := o.query(s, strings.Join(args, ""))
	if err != nil {
		return err
	}
	q.Follow = o.watch
	if !o.watch {
		list := []operator.PastEvent{}
		err := s.client.ListEvents(ctx, q, func(more []operator.PastEvent) error {
			list = append(list, more...)
			return nil
		})
		if err != nil {
			return err
		}
		return s.answer(list, func(w io.Writer) {
			for _, e := range list {
				writeEvent(w, s.palette(), e)
			}
		})
	}
	err = s.client.ListEvents(ctx, q, func(more []operator.PastEvent) error {
		for _, e := range more {
			if err := s.event(e); err != nil {
				return err
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil // an interrupt is the proper end of watching
	}
	return err
}

// event prints one event of a watch.
func (s *session) event(e operator.PastEvent) error {
	switch s.flags.output {
	case "json":
		return json.NewEncoder(s.Stdout).Encode(e)
	case "yaml":
		b, err := encode("yaml", []operator.PastEvent{e})
		if err == nil {
			_, err = s.Stdout.Write(b)
		}
		return err
	}
	writeEvent(s.Stdout, s.palette(), e)
	return nil
}

func writeEvent(w io.Writer, p palette, e operator.PastEvent) {
	if e.Gap != nil {
		fmt.Fprintln(w, p.yellow(gapText(*e.Gap)))
		return
	}
	what := strings.Join(e.Summary, "; ")
	if what == "" {
		what = strings.Join(e.Keys, " ")
	}
	line := fmt.Sprintf("%s %s revision %d %s: %s", p.faint(clock(e.Time)), p.bold(fmt.Sprint(e.Index)), e.Revision, e.Author, oneLine(what))
	if e.Reason != "" {
		line += " (" + e.Reason + ")"
	}
	fmt.Fprintln(w, line)
}
