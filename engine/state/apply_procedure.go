package state

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// What is kept of what has ended, in an application and in a model.
const (
	ordersKept     = 16
	operationsKept = 500
)

func (o GrantLease) summary() string { return fmt.Sprintf("let %v lead", o.Holder) }

func (o GrantLease) apply(w *writer) error {
	u, err := w.unit(o.Model, o.Holder)
	if err != nil {
		return err
	}
	if u.Life != model.Alive {
		return fmt.Errorf("%s: it is %v: %w", o.summary(), u.Life, model.ErrConflict)
	}
	put(w, &w.leases, Lease{Model: o.Model, Application: u.Name.Application, Holder: u.Name, Token: w.head.Index})
	return nil
}

func (o GrantTurn) summary() string { return fmt.Sprintf("grant turn %s to %v", o.Ask.Name, o.Unit) }

// apply guards the limit here too: a solver that was deposed must not add a
// holder to those of its successor.
func (o GrantTurn) apply(w *writer) error {
	u, err := w.unit(o.Model, o.Unit)
	if err != nil {
		return err
	}
	if u.Life == model.Dead {
		return fmt.Errorf("%s: it is dead: %w", o.summary(), model.ErrConflict)
	}
	groups := map[string]bool{}
	for _, t := range w.Turns(u.Ref().Application()) {
		if t.Held && t.Ask.Name == o.Ask.Name {
			if t.Unit == o.Unit {
				return fmt.Errorf("%s: it holds it: %w", o.summary(), model.ErrConflict)
			}
			groups[t.Group()] = true
		}
	}
	if !groups[Turn{Unit: o.Unit, Ask: o.Ask}.Group()] && len(groups) >= max(1, o.Ask.Limit) {
		return fmt.Errorf("%s: %d hold it and its limit is %d: %w", o.summary(), len(groups), max(1, o.Ask.Limit), model.ErrConflict)
	}
	put(w, &w.turns, Turn{Model: o.Model, Unit: o.Unit, Ask: o.Ask, Held: true, Token: w.head.Index, Since: w.head.Now})
	return nil
}

func (o EndTurn) summary() string { return fmt.Sprintf("end turn %s of %v", o.Turn, o.Unit) }

func (o EndTurn) apply(w *writer) error {
	t, ok := w.Turn(UnitRef{o.Model, o.Unit}, o.Turn)
	if !ok || !t.Held || o.Token != 0 && o.Token != t.Token {
		return fmt.Errorf("%s: it does not hold it; see gantry turn: %w", o.summary(), model.ErrConflict)
	}
	t.Held = false
	put(w, &w.turns, t)
	return nil
}

func (o StartOrder) summary() string { return fmt.Sprintf("start %s of %s", o.Name, o.Application) }

func (o StartOrder) apply(w *writer) error {
	a, err := w.livingApplication(o.Model, o.Application)
	if err != nil {
		return err
	}
	c, err := w.charm(a.Model, a.Charm, a.Hash)
	if err != nil {
		return err
	}
	declared, ok := c.Declared.Order(o.Name)
	if !ok || len(declared.Stages) == 0 {
		return fmt.Errorf("%s has no order %q%s: %w", a.Charm, o.Name,
			model.DidYouMean(o.Name, orderNames(c.Declared.Orders)), model.ErrInvalid)
	}
	if err := plain("order ID", o.ID); err != nil {
		return err
	}
	if open, exists := w.OpenOrder(a.Ref()); exists {
		return fmt.Errorf("%s: %s is open, in stage %s: wait for it, or cancel it: %w", o.summary(), open.Name, open.StageName(), model.ErrConflict)
	}
	if _, exists := w.Order(a.Ref(), o.ID); exists {
		return fmt.Errorf("%s: its ID was used before: %w", o.summary(), model.ErrConflict)
	}
	put(w, &w.orders, Order{
		Model: o.Model, Application: a.Name, ID: o.ID, Name: o.Name, Params: o.Params, Warrants: o.Warrants,
		Stages: declared.Stages, PointOfNoReturn: declared.PointOfNoReturn, Since: w.head.Now,
	})
	w.created = append(w.created, orderKey(a.Ref(), o.ID))
	w.forgetOrders(a.Ref())
	return nil
}

func orderNames(orders []charm.Order) []string {
	names := make([]string, len(orders))
	for i, o := range orders {
		names[i] = o.Name
	}
	return names
}

// forgetOrders drops the oldest closed orders.
func (w *writer) forgetOrders(r ApplicationRef) {
	closed := slices.DeleteFunc(w.Orders(r), func(o Order) bool { return !o.Closed })
	slices.SortFunc(closed, func(a, b Order) int { return int(int64(a.CreateIndex) - int64(b.CreateIndex)) })
	for _, o := range closed[:max(0, len(closed)-ordersKept)] {
		remove(w, &w.orders, orderKey(r, o.ID))
	}
}

func (o AdvanceOrder) summary() string {
	return fmt.Sprintf("advance order %s of %s from stage %d", o.ID, o.Application, o.From)
}

func (o AdvanceOrder) apply(w *writer) error {
	order, ok := w.Order(ApplicationRef{o.Model, o.Application}, o.ID)
	if !ok || order.Closed || order.Stage != o.From {
		return fmt.Errorf("%s: %w", o.summary(), model.ErrConflict)
	}
	if order.Stage+1 < len(order.Stages) {
		order.Stage++
	} else {
		order.Closed = true
	}
	order.Since = w.head.Now
	put(w, &w.orders, order)
	return nil
}

func (o CancelOrder) summary() string {
	return fmt.Sprintf("cancel order %s of %s", o.ID, o.Application)
}

func (o CancelOrder) apply(w *writer) error {
	order, ok := w.Order(ApplicationRef{o.Model, o.Application}, o.ID)
	if !ok {
		return fmt.Errorf("%s: %w", o.summary(), model.ErrNotFound)
	}
	declared := charm.Order{Stages: order.Stages, PointOfNoReturn: order.PointOfNoReturn}
	if order.Closed || !declared.Cancellable(order.StageName()) {
		return fmt.Errorf("%s: it is in stage %s, and can go forward only: %w", o.summary(), order.StageName(), model.ErrConflict)
	}
	order.Closed, order.Cancelled, order.Since = true, true, w.head.Now
	put(w, &w.orders, order)
	return nil
}

func (o EnqueueOperation) summary() string {
	switch o.Run.Kind {
	case effect.ExecOperation:
		return "run a command"
	case effect.ResolveOperation:
		return fmt.Sprintf("resolve task %s of %v", o.Run.Action, o.Run.Unit)
	default:
		return "run " + o.Run.Action
	}
}

func (o EnqueueOperation) apply(w *writer) error {
	m, err := w.model(o.Model)
	if err != nil {
		return err
	}
	if o.Run.Unit.IsZero() {
		if o.Run.Kind != effect.ExecOperation {
			return fmt.Errorf("run %s: no unit is named: %w", o.Run.Action, model.ErrInvalid)
		}
		if _, err := w.machine(o.Model, o.Run.Machine); err != nil {
			return err
		}
	} else if err := o.onUnit(w); err != nil {
		return err
	}
	m.NextOperation++
	put(w, &w.models, m)
	run := o.Run
	run.ID = strconv.Itoa(m.NextOperation)
	put(w, &w.operations, Operation{Model: o.Model, Run: run, Author: w.command.Author, Asked: w.head.Now})
	w.created = append(w.created, operationKey(o.Model, run.ID))
	return nil
}

func (o EnqueueOperation) onUnit(w *writer) error {
	u, err := w.unit(o.Model, o.Run.Unit)
	if err != nil {
		return err
	}
	if u.Life == model.Dead {
		return fmt.Errorf("%v is gone: %w", u.Name, model.ErrConflict)
	}
	a, err := w.application(u.Model, u.Name.Application)
	if err != nil || o.Run.Kind != effect.ActionOperation {
		return err
	}
	c, err := w.charm(a.Model, a.Charm, a.Hash)
	if err != nil {
		return err
	}
	if _, ok := c.Declared.Action(o.Run.Action); !ok {
		names := make([]string, len(c.Declared.Actions))
		for i, action := range c.Declared.Actions {
			names[i] = action.Name
		}
		return fmt.Errorf("%s has no action %q%s: %w", a.Charm, o.Run.Action, model.DidYouMean(o.Run.Action, names), model.ErrInvalid)
	}
	return nil
}

func (o FinishOperation) summary() string { return "finish operation " + o.Result.ID }

func (o FinishOperation) apply(w *writer) error {
	op, ok := w.Operation(o.Model, o.Result.ID)
	if !ok {
		return fmt.Errorf("%s: %w", o.summary(), model.ErrNotFound)
	}
	if op.Result != nil {
		return nil
	}
	result := o.Result
	op.Result, op.Ended = &result, w.head.Now
	put(w, &w.operations, op)
	w.forgetOperations(o.Model)
	return nil
}

// finish ends an operation that nobody will answer any more.
func (w *writer) finish(op Operation, why string) {
	op.Result, op.Ended = &effect.OperationResult{ID: op.Run.ID, Failed: why}, w.head.Now
	put(w, &w.operations, op)
	w.forgetOperations(op.Model)
}

// forgetOperations drops the oldest operations that have ended.
func (w *writer) forgetOperations(m model.ModelName) {
	ended := w.operations.indexed(operationEnded, radixKey(m, ""))
	for _, op := range ended[:max(0, len(ended)-operationsKept)] {
		remove(w, &w.operations, operationKey(m, op.Run.ID))
	}
}

func (o MarkSolved) summary() string { return fmt.Sprintf("solved through %d", o.Through) }

func (o MarkSolved) apply(w *writer) error {
	w.head.Solved = max(w.head.Solved, o.Through)
	return nil
}
