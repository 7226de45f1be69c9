package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// errTampered ends a verification that found a fault.
var errTampered = errors.New("the record of requests is not whole")

func newAudit(sh *shell) *cobra.Command {
	var since time.Duration
	q := operator.AuditQuery{}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who asked the controller for what, and what came of it",
		Long: `Show who asked the controller for what, and what came of it. The record is the
controller's that answers; it is bound by hashes, and its head is committed in
the log of all controllers: see gantry audit verify.`,
		Args: exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			if since > 0 {
				q.Since = s.Now().Add(-since)
			}
			list := []operator.AuditRecord{}
			err := s.client.ListAudit(ctx, q, func(records []operator.AuditRecord) error {
				list = append(list, records...)
				return nil
			})
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) { writeAudit(w, list) })
		}),
	}
	cmd.Flags().DurationVar(&since, "since", 0, "only what happened in this time, such as 1h")
	cmd.Flags().IntVarP(&q.Last, "lines", "n", 100, "only the newest; 0 for all")
	cmd.Flags().BoolVar(&q.Denied, "denied", false, "only what was refused")
	cmd.AddCommand(newAuditVerify(sh))
	return cmd
}

func writeAudit(w io.Writer, list []operator.AuditRecord) {
	t := &table{}
	t.row("Record", "Time", "Who", "Route", "Model", "Outcome", "Index", "Reason")
	for _, r := range list {
		index := ""
		if r.Index > 0 {
			index = fmt.Sprint(r.Index)
		}
		reason := r.Error
		if r.Repeats > 0 {
			reason = fmt.Sprintf("%s (and %d before it)", reason, r.Repeats)
		}
		t.row(fmt.Sprint(r.Sequence), r.Time.UTC().Format("2006-01-02 15:04:05"), r.Who, r.Route, r.Model, string(r.Outcome), index, reason)
	}
	t.write(w)
}

func newAuditVerify(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check that no record was altered, removed, moved, put in or cut off",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			v, err := s.client.VerifyAudit(ctx)
			if err != nil {
				return err
			}
			err = s.answer(v, func(w io.Writer) {
				if v.Fault == "" {
					fmt.Fprintf(w, "controller %s: records %d to %d are whole, committed up to %d\n", v.Controller, v.First, v.Last, v.Anchored)
				}
			})
			if err == nil && v.Fault != "" {
				return fmt.Errorf("%w: controller %s: %s", errTampered, v.Controller, v.Fault)
			}
			return err
		}),
	}
}
