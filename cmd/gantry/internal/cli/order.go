package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newOrder(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "order",
		Short: "Start, list and cancel staged procedures",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOrderStart(sh), newOrderList(sh), newOrderCancel(sh))
	return cmd
}

// orderStart opens an order and follows it to its end.
type orderStart struct {
	application model.ApplicationName
	name        string
	params      map[string]string
	reason      string
	background  bool
}

func newOrderStart(sh *shell) *cobra.Command {
	o := &orderStart{}
	cmd := &cobra.Command{
		Use:     "start APPLICATION ORDER [PARAMETER=VALUE...]",
		Short:   "Start an order and follow its stages",
		Example: `  gantry order start postgresql restore restore-to-time="2026-03-01 12:00:00"`,
		Args:    atLeast("an application", "an order"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) (err error) {
			if o.application, err = model.ParseApplicationName(args[0]); err != nil {
				return err
			}
			set, rest, err := assignments(args[2:])
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return fmt.Errorf("parameter %q: expected NAME=VALUE: %w", rest[0], model.ErrInvalid)
			}
			o.name, o.params = args[1], set
			return o.run(ctx, s)
		}),
	}
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the order")
	cmd.Flags().BoolVar(&o.background, "background", false, "do not follow it: print its id")
	return cmd
}

func (o *orderStart) run(ctx context.Context, s *session) error {
	change := changeOptions{reason: o.reason}
	request := operator.StartOrder{Change: change.change(), Model: s.model, Application: o.application, Name: o.name, Params: o.params}
	started, err := commit(ctx, s, "starting order "+o.name, func(ctx context.Context) (operator.OrderStarted, error) {
		return s.client.StartOrder(ctx, request)
	})
	if err != nil {
		return err
	}
	if o.background {
		return s.answer(started, func(w io.Writer) {
			fmt.Fprintf(w, "order %s of %s: %s (revision %d)\n", o.name, o.application, started.ID, started.Committed.Revision)
		})
	}
	return s.followOrder(ctx, o.application, started)
}

// followOrder tells each stage of an order until it ends.
func (s *session) followOrder(ctx context.Context, app model.ApplicationName, started operator.OrderStarted) error {
	under := s.begin("order of " + string(app))
	ended, err := s.awaitOrder(ctx, app, started.ID, under)
	elapsed := under.end().Round(100 * time.Millisecond)
	if err != nil {
		return err
	}
	if err := s.answer(ended, func(w io.Writer) {
		fmt.Fprintf(w, "order %s of %s: %s after %s\n", ended.Name, app, ended.State, elapsed)
	}); err != nil {
		return err
	}
	if ended.State != "done" {
		return fmt.Errorf("order %s of %s was %s", ended.Name, app, ended.State)
	}
	return nil
}

func (s *session) awaitOrder(ctx context.Context, app model.ApplicationName, id string, under *progress) (operator.Order, error) {
	var after uint64
	for {
		orders, err := s.client.ListOrders(ctx, s.model)
		i := slices.IndexFunc(orders, func(o operator.Order) bool { return o.ID == id })
		switch {
		case ctx.Err() != nil:
			return operator.Order{}, fmt.Errorf("%w: order %s of %s goes on; see gantry order list, or end it with gantry order cancel %s", endedBy(ctx), id, app, app)
		case err != nil && !errors.Is(err, model.ErrUnavailable):
			return operator.Order{}, err
		case err == nil && i < 0:
			return operator.Order{}, fmt.Errorf("order %s of %s: %w", id, app, model.ErrNotFound)
		case err == nil && orders[i].State != "open":
			return orders[i], nil
		}
		after = s.nextChange(ctx, after, func(status operator.Status) { under.tell(orderText(status, app)) })
	}
}

// errEnough ends a watch that has told what it was for.
var errEnough = errors.New("enough")

// nextChange waits for a status past an index and returns its index.
func (s *session) nextChange(ctx context.Context, after uint64, tell func(operator.Status)) uint64 {
	err := s.client.WatchStatus(ctx, s.model, after, func(status operator.Status) error {
		after = status.Model.Index
		tell(status)
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
	return after
}

// orderText says at which stage an application's order is, and what its units
// do meanwhile.
func orderText(status operator.Status, app model.ApplicationName) string {
	for _, a := range status.Applications {
		if a.Name != app || a.Order == nil {
			continue
		}
		text := fmt.Sprintf("order %s of %s at stage %s", a.Order.Name, app, cmp.Or(a.Order.Stage, "start"))
		for _, u := range a.Units {
			if !u.Settled && u.Status.Message != "" {
				text += fmt.Sprintf(" · %s %s", u.Name, u.Status.Message)
			}
		}
		return text
	}
	return "order of " + string(app)
}

func newOrderList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the orders of the model's applications",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			orders, err := s.client.ListOrders(ctx, s.model)
			if err != nil {
				return err
			}
			return s.answer(orders, func(w io.Writer) {
				t := &table{}
				t.row("Application", "Order", "State", "Stage", "Id")
				for _, o := range orders {
					t.row(string(o.Application), o.Name, o.State, o.Stage, o.ID)
				}
				t.writeOr(w, "No order was started: gantry order start APPLICATION ORDER.")
			})
		}),
	}
}

func newOrderCancel(sh *shell) *cobra.Command {
	o := &changeOptions{}
	cmd := &cobra.Command{
		Use:   "cancel APPLICATION [ID]",
		Short: "Cancel an application's open order, before its point of no return",
		Args:  between(1, 2, "an application", "an order's id"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			app, err := model.ParseApplicationName(args[0])
			if err != nil {
				return err
			}
			id, err := s.openOrder(ctx, app, args[1:])
			if err != nil {
				return err
			}
			request := operator.CancelOrder{Change: o.change(), Model: s.model, Application: app, ID: id}
			done, err := commit(ctx, s, "cancelling the order of "+args[0], func(ctx context.Context) (operator.Committed, error) {
				return s.client.CancelOrder(ctx, request)
			})
			if err != nil {
				return err
			}
			return s.conclude(ctx, *o, done, done, "cancelled the order of %s", app)
		}),
	}
	o.register(cmd)
	return cmd
}

// openOrder is the order that was named, or the one that is open.
func (s *session) openOrder(ctx context.Context, app model.ApplicationName, named []string) (string, error) {
	if len(named) > 0 {
		return named[0], nil
	}
	orders, err := s.client.ListOrders(ctx, s.model)
	if err != nil {
		return "", err
	}
	for _, o := range orders {
		if o.Application == app && o.State == "open" {
			return o.ID, nil
		}
	}
	return "", fmt.Errorf("application %s has no open order: %w", app, model.ErrNotFound)
}
