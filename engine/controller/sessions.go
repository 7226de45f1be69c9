package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/controller/live"
	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// sessions implements wire.Sessions: one session a machine, each told of what
// concerns it alone.
type sessions struct {
	node   *consensus.Node
	live   *live.Live
	api    *api.Service
	log    *slog.Logger
	tracer *trace.Tracer
	traced traced
	// watch takes what agents tell of themselves.
	watch ear

	led chan struct{} // closed when this controller has led for the first time

	mu   sync.Mutex
	term context.Context // of the leadership; nil while another leads
	open map[state.MachineRef]*session
	unit map[state.UnitRef]state.MachineRef // whom a unit was last pushed to
}

func newSessions(node *consensus.Node, l *live.Live, log *slog.Logger) *sessions {
	return &sessions{
		node: node, live: l, log: log, led: make(chan struct{}),
		open: map[state.MachineRef]*session{}, unit: map[state.UnitRef]state.MachineRef{},
	}
}

// run tells sessions what changed, while this controller leads.
func (s *sessions) run(ctx context.Context) error {
	cursor, holding := s.node.State().Index(), held(s.node.State())
	for {
		changes, next, err := s.node.Changes(ctx, cursor)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, model.ErrNotFound):
			next = s.node.State().Index()
			s.pokeAll()
		case err != nil:
			return err
		}
		var keys []state.Key
		for _, c := range changes {
			keys = append(keys, c.Keys...)
			s.follow(c)
		}
		s.changed(s.node.State(), keys)
		holding = s.watchSettled(holding)
		cursor = next
	}
}

// setTerm lets sessions begin, that end with ctx.
func (s *sessions) setTerm(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = ctx
	select {
	case <-s.led:
	default:
		close(s.led)
	}
}

// endTerm lets no session begin.
func (s *sessions) endTerm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.term = nil
}

// changed pokes the sessions whose units' intents, or operations, may differ.
func (s *sessions) changed(st state.State, keys []state.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ref := range solver.Affected(st, keys) {
		machine, pushed := s.unit[ref]
		if u, ok := st.Unit(ref); ok && u.Machine != "" {
			now := state.MachineRef{Model: u.Model, Machine: u.Machine}
			if pushed && now != machine {
				s.poke(machine, ref)
			}
			machine = now
		}
		s.poke(machine, ref)
	}
	for _, k := range keys {
		switch k.Table {
		case tables.Machine:
			s.poke(state.MachineRef{Model: k.Model, Machine: model.MachineName(k.ID)})
		case tables.Operation:
			if o, ok := st.Operation(k.Model, k.ID); ok && o.Result == nil {
				s.pokeOperation(st, k.Model, o)
			}
		}
	}
}

func (s *sessions) pokeOperation(st state.State, m model.ModelName, o state.Operation) {
	machine := o.Run.Machine
	if u, ok := st.Unit(state.UnitRef{Model: m, Unit: o.Run.Unit}); ok {
		machine = u.Machine
	}
	s.poke(state.MachineRef{Model: m, Machine: machine})
}

func (s *sessions) poke(m state.MachineRef, units ...state.UnitRef) {
	if open, ok := s.open[m]; ok {
		open.poke(units...)
	}
}

func (s *sessions) pokeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.node.State()
	for m, open := range s.open {
		for _, u := range st.UnitsOn(m) {
			open.poke(u.Ref())
		}
		open.poke()
	}
}

// Session implements wire.Sessions. A machine's new session ends its old one.
func (s *sessions) Session(ctx context.Context, stream wire.AgentStream) error {
	machine, err := s.api.CallingMachine(ctx)
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if first.Hello == nil || first.Hello.Machine != machine.UUID {
		return fmt.Errorf("session of machine %s: the first message is not its Hello: %w", machine.Name, model.ErrInvalid)
	}
	s.mu.Lock()
	term := s.term
	s.mu.Unlock()
	if term == nil {
		return fmt.Errorf("session of machine %s: this controller does not lead: %w", machine.Name, model.ErrUnavailable)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(term, func() {
		cancel(fmt.Errorf("this controller no longer leads: %w", model.ErrUnavailable))
	})()
	one := newSession(s, machine, stream, cancel)
	one.knows = unitsOf(first.Hello.Known)
	s.register(one)
	defer s.forget(one)
	if err := s.joined(ctx, machine, first.Hello.Host); err != nil {
		return err
	}
	s.live.Hello(machine.Ref(), first.Hello.Host)
	one.begin(s.node.State(), first.Hello.Known)

	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return one.send(gctx) })
	// Recv ends with the stream's own context, when this returns.
	received := make(chan error, 1)
	g.Go(func() error {
		select {
		case err := <-received:
			return err
		case <-gctx.Done():
			return context.Cause(ctx)
		}
	})
	s.receive(one, received)
	return g.Wait()
}

// receive reads until the stream ends, which it does at the latest when
// Session returns.
func (s *sessions) receive(one *session, done chan<- error) {
	var g errgroup.Group
	g.Go(func() error {
		done <- one.receive()
		return nil
	})
}

// joined commits where a machine is reached and what it offers, where that is
// news.
func (s *sessions) joined(ctx context.Context, m state.Machine, facts effect.HostFacts) error {
	hardware := state.Hardware{Arch: facts.Arch, Cores: facts.Cores, MemMiB: facts.MemoryMiB, DiskMiB: m.Hardware.DiskMiB}
	if m.Hardware.DiskMiB == 0 {
		hardware.DiskMiB = facts.DiskMiB // of the first time: what is free later is no property
	}
	address := m.Address // by its provider's word
	if address == "" {
		address = facts.Address
	}
	if m.State == state.MachineReady && m.Address == address && m.Hardware == hardware {
		return nil
	}
	outcomes, err := s.node.Propose(ctx, state.Command{Origin: state.Agents, Author: "agent/" + m.UUID, Ops: []state.Op{
		state.MachineJoined{Model: m.Model, Machine: m.Name, Address: address, Hardware: hardware},
	}})
	if err != nil {
		return err
	}
	return outcomes[0].Err
}

func (s *sessions) register(one *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.open[one.machine]; ok {
		old.cancel(fmt.Errorf("machine %s has a newer session: %w", one.machine.Machine, model.ErrConflict))
	}
	s.open[one.machine] = one
}

func (s *sessions) forget(one *session) {
	s.mu.Lock()
	last := s.open[one.machine] == one
	if last {
		delete(s.open, one.machine)
	}
	s.mu.Unlock()
	if last {
		s.live.Cut(one.machine)
	}
}

// pushed notes whom a unit was pushed to.
func (s *sessions) pushed(u state.UnitRef, m state.MachineRef, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wanted {
		s.unit[u] = m
	} else if s.unit[u] == m {
		delete(s.unit, u)
	}
}
