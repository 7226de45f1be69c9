package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// session is one agent's. receive and send each have one caller; what send is
// to look at waits in the queue.
type session struct {
	all     *sessions
	machine state.MachineRef
	uuid    string
	stream  wire.AgentStream
	cancel  context.CancelCauseFunc
	knows   []model.UnitName // that the agent came with

	sent  map[model.UnitName]effect.Known // what the agent has, or was sent
	asked map[string]bool                 // operations that were sent

	mu    sync.Mutex
	due   look
	queue chan struct{} // holds one token while there is something to look at
}

// look is what a session is to look at.
type look struct {
	units   map[model.UnitName]bool
	machine bool         // and the machine's own
	beat    *effect.Beat // the newest that was not answered
}

// add puts in what another holds, but for its beat.
func (l *look) add(other look) {
	if l.machine = l.machine || other.machine; l.units == nil {
		l.units = other.units
		return
	}
	maps.Copy(l.units, other.units)
}

func (l look) empty() bool { return len(l.units) == 0 && !l.machine }

func newSession(all *sessions, m state.Machine, stream wire.AgentStream, cancel context.CancelCauseFunc) *session {
	return &session{
		all: all, machine: m.Ref(), uuid: m.UUID, stream: stream, cancel: cancel,
		sent: map[model.UnitName]effect.Known{}, asked: map[string]bool{}, queue: make(chan struct{}, 1),
	}
}

// begin queues every unit that the machine has or the agent knows.
func (s *session) begin(st state.State, known []effect.Known) {
	for _, k := range known {
		s.sent[k.Unit] = k
		s.poke(state.UnitRef{Model: s.machine.Model, Unit: k.Unit})
	}
	for _, u := range st.UnitsOn(s.machine) {
		s.poke(u.Ref())
	}
	s.poke()
}

// poke queues units with their operations or, where none is named, a look at
// the machine and at all operations on it.
func (s *session) poke(units ...state.UnitRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due.machine = s.due.machine || len(units) == 0
	for _, u := range units {
		if s.due.units == nil {
			s.due.units = map[model.UnitName]bool{}
		}
		s.due.units[u.Unit] = true
	}
	s.signal()
}

func (s *session) signal() {
	select {
	case s.queue <- struct{}{}:
	default:
	}
}

// take empties the queue.
func (s *session) take() look {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.due
	s.due = look{}
	return taken
}

// After a push what comes is gathered for thrice as long as the push took, or
// as long as the agent has work with the intents in it, but never for longer
// than a change may wait.
const (
	mostGathered = time.Second
	workOfOne    = 4 * time.Millisecond // of an agent with one intent
)

// send pushes what differs from what the agent has, until ctx ends. Where many
// units see each other all that they publish calls for another intent of each:
// what comes soon after a push goes out together.
func (s *session) send(ctx context.Context) error {
	var waiting look
	again := time.NewTimer(0)
	defer again.Stop()
	var notBefore time.Time
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.queue:
		case <-again.C:
		}
		taken := s.take()
		waiting.add(taken)
		st := s.all.node.State()
		if m, ok := st.Machine(s.machine); !ok || m.Fenced || m.UUID != s.uuid {
			return fmt.Errorf("machine %s: removed, or acknowledged lost: %w", s.machine.Machine, model.ErrDenied)
		}
		if err := s.echo(ctx, taken.beat); err != nil {
			return err
		}
		began := time.Now()
		switch {
		case waiting.empty():
			continue
		case began.Before(notBefore):
			again.Reset(notBefore.Sub(began))
			continue
		}
		pushed, err := s.push(st, waiting.units)
		if err != nil {
			return err
		}
		work := time.Duration(pushed) * workOfOne
		notBefore = time.Now().Add(min(max(3*time.Since(began), work), mostGathered))
		if err := s.operate(st, waiting); err != nil {
			return err
		}
		waiting = look{}
	}
}

// echo answers a beat, with a quorum: the agent's lead depends on it.
func (s *session) echo(ctx context.Context, beat *effect.Beat) error {
	if beat == nil {
		return nil
	}
	if _, err := s.all.node.Read(ctx); err != nil {
		return err
	}
	return s.stream.Send(effect.Downward{Beat: beat})
}

// push sends the intents that differ, and withdraws those that are no more. It
// returns how many it sent.
func (s *session) push(st state.State, units map[model.UnitName]bool) (pushed int, err error) {
	var down effect.Downward
	intents := solver.NewIntents(st)
	for u := range units {
		ref := state.UnitRef{Model: s.machine.Model, Unit: u}
		row, here := st.Unit(ref)
		intent, wanted := intents.Of(ref)
		wanted = wanted && here && row.Machine == s.machine.Machine
		s.all.pushed(ref, s.machine, wanted)
		known, had := s.sent[u]
		switch {
		case !wanted && had && !here && held(st):
			// It is newer than the backup: it runs on until somebody decides.
		case !wanted && had:
			delete(s.sent, u)
			down.Withdrawn = append(down.Withdrawn, u.String())
		case !wanted:
		case had && known.Hash == intent.Hash && known.Generation == intent.Generation && known.Serial == intent.Live.Serial:
		default:
			s.sent[u] = effect.Known{Unit: u, Generation: intent.Generation, Hash: intent.Hash, Serial: intent.Live.Serial}
			down.Set = append(down.Set, intent)
		}
	}
	if len(down.Set)+len(down.Withdrawn) == 0 {
		return 0, nil
	}
	return len(down.Set), s.all.deliver(s.stream, s.machine, down)
}

// operate sends the operations that wait for what is looked at, each once a
// session.
func (s *session) operate(st state.State, l look) error {
	var pending []state.Operation
	if l.machine {
		pending = st.PendingOnMachine(s.machine)
		for _, u := range st.UnitsOn(s.machine) {
			pending = append(pending, st.PendingOn(u.Ref())...)
		}
	} else {
		for _, u := range slices.SortedFunc(maps.Keys(l.units), model.CompareUnits) {
			if s.has(st, u) {
				pending = append(pending, st.PendingOn(state.UnitRef{Model: s.machine.Model, Unit: u})...)
			}
		}
	}
	for _, o := range pending {
		if s.asked[o.Run.ID] {
			continue
		}
		s.asked[o.Run.ID] = true
		run := o.Run
		run.Asked = o.Asked
		if err := s.stream.Send(effect.Downward{Operation: &run}); err != nil {
			return err
		}
	}
	return nil
}

// receive notes what the agent says, until the stream ends.
func (s *session) receive() error {
	for {
		up, err := s.stream.Recv()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the agent of machine %s ended its session: %w", s.machine.Machine, model.ErrUnavailable)
		}
		if err != nil {
			return err
		}
		s.all.live.Heard(s.machine)
		s.all.watch.upward(s.machine, up)
		if up.Beat != nil {
			s.mu.Lock()
			s.due.beat = up.Beat
			s.signal()
			s.mu.Unlock()
		}
		st := s.all.node.State()
		if reports := s.ours(st, up.Reports); len(reports) > 0 {
			s.all.live.Take(s.machine.Model, reports)
		}
		if len(up.Logs) > 0 {
			s.all.live.Log(s.machine.Model, s.signed(st, up.Logs))
		}
	}
}

// ours passes over reports of units that are not on this machine.
func (s *session) ours(st state.State, reports []effect.Report) []effect.Report {
	var out []effect.Report
	for _, r := range reports {
		if s.has(st, r.Unit) {
			out = append(out, r)
		}
	}
	return out
}

func (s *session) has(st state.State, u model.UnitName) bool {
	row, ok := st.Unit(state.UnitRef{Model: s.machine.Model, Unit: u})
	return ok && row.Machine == s.machine.Machine
}

// signed says which machine lines came from; an agent cannot speak for units
// elsewhere.
func (s *session) signed(st state.State, lines []effect.LogLine) []effect.LogLine {
	out := make([]effect.LogLine, 0, len(lines))
	for _, line := range lines {
		if !line.Unit.IsZero() && !s.has(st, line.Unit) {
			continue
		}
		line.Machine = s.uuid
		out = append(out, line)
	}
	return out
}
