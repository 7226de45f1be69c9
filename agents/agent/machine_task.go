package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/gantry-orchestrator/gantry/agents/agent/internal/journal"
	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// machineTask is how far a task of machine scope has come, by whichever unit.
type machineTask struct {
	Key    string         `json:"key"`
	Unit   model.UnitName `json:"unit"` // which ran it last
	Done   bool           `json:"done,omitempty"`
	Result string         `json:"result,omitempty"`
	Undone bool           `json:"undone,omitempty"` // as if it had never run
}

// machineTasks is the machine's journal of its tasks, and what keeps two units
// from running one at the same time.
type machineTasks struct {
	path string

	mu   sync.Mutex
	file *journal.File // nil while there is nothing to keep
	all  map[string]machineTask
	busy map[string]chan struct{} // by key: closed when it is free again
}

// machineTasksKept is from how many records on the journal is rewritten.
const machineTasksKept = 256

func openMachineTasks(path string) (*machineTasks, error) {
	m := &machineTasks{path: path, all: map[string]machineTask{}, busy: map[string]chan struct{}{}}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	file, records, err := journal.Open(path)
	if err != nil {
		return nil, err
	}
	m.file = file
	for _, r := range records {
		var t machineTask
		if err := json.Unmarshal(r, &t); err != nil {
			return nil, errors.Join(fmt.Errorf("journal %s was written by another version: %w: %w", path, err, model.ErrInvalid), file.Close())
		}
		m.put(t)
	}
	if len(records) > machineTasksKept {
		var live [][]byte
		for _, key := range slices.Sorted(maps.Keys(m.all)) {
			b, err := json.Marshal(m.all[key])
			if err != nil {
				return nil, errors.Join(err, file.Close())
			}
			live = append(live, b)
		}
		err = file.Compact(live...)
	}
	return m, err
}

func (m *machineTasks) put(t machineTask) {
	if t.Undone {
		delete(m.all, t.Key)
	} else {
		m.all[t.Key] = t
	}
}

// lock waits until no other unit is at the task.
func (m *machineTasks) lock(ctx context.Context, key string) (unlock func(), err error) {
	for {
		m.mu.Lock()
		held, isHeld := m.busy[key]
		if !isHeld {
			free := make(chan struct{})
			m.busy[key] = free
			m.mu.Unlock()
			return func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				delete(m.busy, key)
				close(free)
			}, nil
		}
		m.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-held:
		}
	}
}

func (m *machineTasks) look(key string) (machineTask, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, known := m.all[key]
	return t, known
}

// record is on disk when it returns.
func (m *machineTasks) record(t machineTask) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		m.file, _, err = journal.Open(m.path)
	}
	if err == nil {
		err = m.file.Append(b)
	}
	if err != nil {
		return fmt.Errorf("journal of the machine's tasks: %w", err)
	}
	m.put(t)
	if len(m.all) > 0 {
		return nil
	}
	file := m.file
	m.file = nil
	return file.Remove()
}

func (m *machineTasks) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}

func machineKey(t effect.Task) string { return string(t.ID) + "\n" + t.Key }

// machineTask runs a task of machine scope, or finds it done: by another unit,
// or by this one before a crash. Only one unit is at it at a time.
func (u *unitLoop) machineTask(ctx context.Context, p unit.Perform) (unit.Ended, error) {
	t, all := *p.Step.Effect.Task, u.agent.tasks
	unlock, err := all.lock(ctx, machineKey(t))
	if err != nil {
		return unit.Ended{}, err
	}
	defer unlock()
	row := machineTask{Key: machineKey(t), Unit: u.name}
	if p.Step.Kind == effect.Undo {
		if u.sharedTask(row.Key) {
			return unit.Ended{Step: p.Step}, nil
		}
		ended, err := u.runOwnTask(ctx, p)
		if err == nil {
			row.Undone = true
			err = all.record(row)
		}
		return ended, err
	}
	ended, done, err := u.machineTaskDone(ctx, p)
	if err != nil {
		return unit.Ended{}, err
	}
	if !done {
		if err := all.record(row); err != nil {
			return unit.Ended{}, err
		}
		if ended, err = u.runOwnTask(ctx, p); err != nil {
			return unit.Ended{}, err
		}
	}
	if err := u.noteIfMachines(ended); err != nil {
		return unit.Ended{}, err
	}
	return ended, u.outcome(t).Clear()
}

// noteIfMachines journals for the machine that a task of its scope is done.
func (u *unitLoop) noteIfMachines(e unit.Ended) error {
	t := *e.Step.Effect.Task
	if t.Scope != effect.MachineScope {
		return nil
	}
	row := machineTask{Key: machineKey(t), Unit: u.name, Done: true}
	if e.Outcome != nil {
		row.Result = e.Outcome.Result
	}
	return u.agent.tasks.record(row)
}

// machineTaskDone reports whether the task need not run. A run of which nobody
// knows what came of it is an error, unless the task may simply run again.
func (u *unitLoop) machineTaskDone(ctx context.Context, p unit.Perform) (ended unit.Ended, done bool, err error) {
	t := *p.Step.Effect.Task
	was, begun := u.agent.tasks.look(machineKey(t))
	if !begun {
		return unit.Ended{}, false, nil
	}
	ended, known, err := u.found(ctx, p.Step)
	if err != nil && ctx.Err() != nil {
		return unit.Ended{}, false, err
	}
	if !known {
		ended = endedWith(p.Step, 0, "")
	}
	caller, probes, err := u.caller(ctx)
	if err != nil {
		return unit.Ended{}, false, err
	}
	held, broken := perform.Yields(ctx, u.secrets, caller, t.Yields, probes)
	switch {
	case was.Done && !broken, known && len(t.Yields) == 0, held:
		return ended, true, nil
	case was.Done || t.Idempotent:
		return unit.Ended{}, false, nil
	}
	return unit.Ended{}, false, fmt.Errorf("it was cut short, run by %v, and its outcome is unknown: look, then run `gantry task resolve %v %s`: %w",
		was.Unit, u.name, t.ID, model.ErrConflict)
}

// caller is what runs the charm's calls as of now, and the probes that it has
// declared.
func (u *unitLoop) caller(ctx context.Context) (c call, probes []effect.Probe, err error) {
	err = u.call(ctx, func() error {
		u.secrets.know(u.state.Journal.Intent.Spec)
		c = call{charms: u.agent.Charms, charm: u.state.Journal.Intent.Spec.Charm, input: u.state.Input()}
		probes = u.state.Answer.Desired.Probes
		return nil
	})
	return c, probes, err
}

// sharedTask reports whether another unit of the machine has the task done.
func (u *unitLoop) sharedTask(key string) bool {
	for _, other := range u.agent.all() {
		if other != u && other.hasTask(key) {
			return true
		}
	}
	return false
}

func (u *unitLoop) hasTask(key string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Contains(u.machineTasks, key)
}

// unknownMachineTask is the task of machine scope by that ID that the unit
// wants or began, and of which nobody knows what came. Only the loop calls it.
func (u *unitLoop) unknownMachineTask(id effect.ID) *effect.Task {
	for _, e := range u.state.Answer.Desired.Effects() {
		if t := e.Task; t != nil && t.ID == id && t.Scope == effect.MachineScope {
			if was, begun := u.agent.tasks.look(machineKey(*t)); begun && !was.Done {
				return t
			}
		}
	}
	return nil
}

// resolveMachineTask takes an operator's word on a task of machine scope for
// all units of the machine.
func (a *agent) resolveMachineTask(ctx context.Context, t effect.Task, by model.UnitName, done bool) error {
	if err := a.tasks.record(machineTask{Key: machineKey(t), Unit: by, Done: done, Undone: !done}); err != nil {
		return err
	}
	for _, u := range a.all() {
		err := u.call(ctx, func() error {
			if !slices.ContainsFunc(u.state.Journal.Applied, func(x effect.Applied) bool {
				return x.Open && x.Effect.Task != nil && x.Effect.Task.Scope == effect.MachineScope && machineKey(*x.Effect.Task) == machineKey(t)
			}) {
				return nil
			}
			return u.record(unit.Entry{Resolved: &unit.Resolution{Task: t.ID, Done: done}})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
