package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// controllerModel is where the controllers are that run on machines, as units
// of the application of the same name.
const controllerModel = "controller"

// historyOpens is how long a controller may take to open its history.
const historyOpens = 5 * time.Second

type enableHAOptions struct {
	changeOptions
	count int
}

func newEnableHA(sh *shell) *cobra.Command {
	o := &enableHAOptions{}
	cmd := &cobra.Command{
		Use:   "enable-ha",
		Short: "Have several controllers, so that one may be lost",
		Long: `Have several controllers, so that one may be lost: 3 bear the loss of one,
5 of two. The further ones run on machines of their own, as units of the
application controller in the model controller.

It may be asked again: to have more or fewer, to replace one that was removed,
and after an upgrade, to bring all one by one to the version of the controller
that gantry up started.`,
		Example: "  gantry enable-ha -n 3",
		Args:    exactly(),
		RunE:    sh.connected(o.run),
	}
	cmd.Flags().IntVarP(&o.count, "num-controllers", "n", 3, "how many there are to be: 1, 3 or 5")
	cmd.Flags().StringVar(&o.reason, "reason", "", "why, kept with the change")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 10*time.Minute, "give up after this long; what was begun goes on")
	return cmd
}

func (o *enableHAOptions) run(ctx context.Context, s *session, _ []string) error {
	if !slices.Contains([]int{1, 3, 5}, o.count) {
		return fmt.Errorf("--num-controllers %d: expected 1, 3 or 5, of which a majority is always more than half: %w", o.count, model.ErrInvalid)
	}
	s.model = controllerModel
	began := time.Now()
	if err := o.ensureModel(ctx, s); err != nil {
		return err
	}
	revision, err := o.scale(ctx, s)
	if err != nil {
		return err
	}
	if err := s.converge(ctx, revision, o.timeout); err != nil {
		return err
	}
	members, err := o.await(ctx, s)
	if err != nil {
		return err
	}
	return s.answer(members, func(w io.Writer) {
		fmt.Fprintf(w, "%d controllers after %.1f s\n", len(members), time.Since(began).Seconds())
		writeControllers(w, members)
	})
}

func (o *enableHAOptions) ensureModel(ctx context.Context, s *session) error {
	_, err := commit(ctx, s, "adding model "+controllerModel, func(ctx context.Context) (operator.Committed, error) {
		return s.client.AddModel(ctx, operator.AddModel{Name: controllerModel, Change: operator.Change{Key: uuid.NewString()}})
	})
	if errors.Is(err, model.ErrConflict) {
		return nil // it is there already
	}
	return err
}

// scale asks for as many units as are missing, or that some go: those that do
// not answer before those that do.
func (o *enableHAOptions) scale(ctx context.Context, s *session) (revision uint64, err error) {
	members, err := s.client.ListMembers(ctx)
	if err != nil {
		return 0, err
	}
	status, err := s.client.Status(ctx, s.model)
	if err != nil {
		return 0, err
	}
	over := surplus(status, members, o.count-1)
	if len(over) > 0 {
		request := operator.RemoveUnits{Change: o.change(), Model: s.model, Units: over, DestroyStorage: true}
		done, err := commit(ctx, s, "removing "+unitNames(over), func(ctx context.Context) (operator.Committed, error) {
			return s.client.RemoveUnits(ctx, request)
		})
		return done.Revision, err
	}
	if o.count == 1 {
		return 0, nil
	}
	if err := s.haveNewestLead(ctx, members); err != nil {
		return 0, err
	}
	options := chosen{port: portOf(members)}
	if len(status.Applications) > 0 {
		options, err = s.chosenBefore(ctx)
	} else {
		options.replicated, err = s.replicatedHistory(ctx)
	}
	if err != nil {
		return 0, err
	}
	request := operator.Apply{Change: o.change(), Model: s.model, Bundle: controllersBundle(o.count-1, options)}
	done, err := commit(ctx, s, fmt.Sprintf("asking for %d controllers", o.count), func(ctx context.Context) (operator.Applied, error) {
		return s.client.Apply(ctx, request)
	})
	return done.Committed.Revision, err
}

// haveNewestLead hands leadership to the controller that gantry up started
// where another version leads: the charm of the others is built into who leads,
// and up is where an upgrade begins.
func (s *session) haveNewestLead(ctx context.Context, members []operator.Controller) error {
	var leads, first operator.Controller
	for _, m := range members {
		if m.Role == operator.Leads {
			leads = m
		}
		if m.Unit.IsZero() && m.Answers && m.Role == operator.Follows {
			first = m
		}
	}
	if first.ID == "" || leads.Version == first.Version {
		return nil
	}
	s.say("%s leads next: it runs gantry %s, which the others are to run", first.Address, first.Version)
	return s.client.TransferLeadership(ctx, first.ID)
}

// surplus are the units to go so that no more than count remain.
func surplus(status operator.Status, members []operator.Controller, count int) []model.UnitName {
	answers := map[model.UnitName]bool{}
	for _, m := range members {
		answers[m.Unit] = m.Answers
	}
	var alive []model.UnitName
	for _, a := range status.Applications {
		for _, u := range a.Units {
			if u.Life == model.Alive {
				alive = append(alive, u.Name)
			}
		}
	}
	slices.SortStableFunc(alive, func(a, b model.UnitName) int {
		switch {
		case answers[a] && !answers[b]:
			return -1
		case answers[b] && !answers[a]:
			return 1
		}
		return a.Number - b.Number
	})
	return alive[min(count, len(alive)):]
}

// portOf is the port of the controllers that there are, which the others get
// too.
func portOf(members []operator.Controller) string {
	for _, m := range members {
		if _, port, err := net.SplitHostPort(m.Address); err == nil {
			return port
		}
	}
	return ""
}

// chosen are the options of the controllers on machines.
type chosen struct {
	port       string
	replicated bool // their history
}

// chosenBefore is what the controllers on machines have.
func (s *session) chosenBefore(ctx context.Context) (c chosen, err error) {
	options, err := s.client.Config(ctx, s.model, controllerModel)
	for _, o := range options {
		switch o.Name {
		case "port":
			c.port = fmt.Sprint(o.Value)
		case "replicated-history":
			c.replicated = fmt.Sprint(o.Value) == "true"
		}
	}
	return c, err
}

// replicatedHistory reports whether the controller that there is has a history
// that others can share. One that was just started may not have opened it yet;
// one that cannot for longer keeps nobody from having several controllers.
func (s *session) replicatedHistory(ctx context.Context) (bool, error) {
	for deadline := time.Now().Add(historyOpens); ; {
		past, err := s.client.ListHistory(ctx, operator.HistoryQuery{Model: s.model, Limit: 1})
		if err == nil || !errors.Is(err, model.ErrUnavailable) {
			return past.Health.Backend == "dqlite", err
		}
		if time.Now().After(deadline) {
			s.note("The history is out of reach: each controller keeps its own. Once it is back: gantry config -m %s %s replicated-history=true", s.model, controllerModel)
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(retryEvery):
		}
	}
}

func controllersBundle(units int, c chosen) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "applications:\n  %s:\n    charm: controller\n    num_units: %d\n    options:\n", controllerModel, units)
	if c.port != "" {
		fmt.Fprintf(&b, "      port: %s\n", c.port)
	}
	fmt.Fprintf(&b, "      replicated-history: %v\n", c.replicated)
	return []byte(b.String())
}

// await waits until the members are as many as there are to be, each with a
// vote.
func (o *enableHAOptions) await(ctx context.Context, s *session) ([]operator.Controller, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	under := s.begin("waiting for the controllers to take part")
	defer under.end()
	for {
		members, err := s.client.ListMembers(ctx)
		voting := 0
		for _, m := range members {
			if m.Role != operator.CatchingUp {
				voting++
			}
		}
		if err == nil && len(members) == o.count && voting == o.count {
			return members, nil
		}
		if err == nil {
			under.tell(fmt.Sprintf("%d of %d controllers take part", voting, o.count))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting until %d controllers take part: see gantry controllers: %w", o.count, errors.Join(ctx.Err(), err))
		case <-time.After(retryEvery):
		}
	}
}
