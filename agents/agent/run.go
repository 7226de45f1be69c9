package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Run runs the agent until ctx ends. It leaves services running.
func Run(ctx context.Context, c Config) error {
	if err := c.validate(); err != nil {
		return err
	}
	if err := c.Dirs.open(); err != nil {
		return err
	}
	tasks, err := openMachineTasks(c.Dirs.machineTasks())
	if err != nil {
		return err
	}
	if c.User == "" {
		if own, err := user.Current(); err == nil {
			c.User = own.Username
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	a := &agent{
		Config: c, life: ctx, group: group, units: map[model.UnitName]*unitLoop{}, refused: map[model.UnitName]effect.Intent{}, link: newLink(),
		operating: map[operationFile]bool{},
		processes: processes{last: map[string]uint64{}},
		slots:     make(chan struct{}, maxSteps), tasks: tasks,
	}
	group.Go(func() error {
		if err := a.resume(); err != nil { // before an intent can come
			return err
		}
		return a.connect(ctx)
	})
	group.Go(func() error { return a.watchServices(ctx) })
	group.Go(func() error { return a.tailLogs(ctx) })
	group.Go(func() error { return a.retryRefused(ctx) })
	err = group.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, tasks.close())
}

// maxSteps bounds the steps that are performed at once on a machine.
const maxSteps = 8

// agent is a running agent.
type agent struct {
	Config
	life  context.Context // of the agent; what outlives a session hangs on it
	group *errgroup.Group
	link  *link
	slots chan struct{}
	apt   sync.Mutex // dpkg has one lock
	tasks *machineTasks

	processes processes
	counts    counts

	mu         sync.Mutex
	units      map[model.UnitName]*unitLoop
	refused    map[model.UnitName]effect.Intent // of units that could not begin
	operating  map[operationFile]bool           // that run now
	connected  bool
	leadsUntil time.Time
}

// resume starts the loops of the units that have a journal.
func (a *agent) resume() error {
	entries, err := os.ReadDir(a.Dirs.journals())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		u, err := openUnit(a, filepath.Join(a.Dirs.journals(), e.Name()))
		if err != nil { // the other units of the machine go on
			a.Logger.Error("cannot go on with a unit", slog.String("journal", e.Name()), slog.Any("error", err))
			continue
		}
		if u == nil {
			continue // made and never written
		}
		a.begin(u)
	}
	return nil
}

// begin runs a unit's loop until the unit is forgotten.
func (a *agent) begin(u *unitLoop) {
	a.processes.mu.Lock()
	defer a.processes.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.units[u.name] = u
	u.state.Connected, u.state.LeadsUntil = a.connected, a.leadsUntil
	u.setProcesses(a.processes.of[u.name.Dashed()])
	a.group.Go(func() error {
		err := u.run(a.life)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.units, u.name)
		return err
	})
}

// all are the loops of all units, by name.
func (a *agent) all() []*unitLoop {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.SortedFunc(maps.Values(a.units), func(x, y *unitLoop) int { return model.CompareUnits(x.name, y.name) })
}

// known is what the agent already carries out.
func (a *agent) known() []effect.Known {
	var known []effect.Known
	for _, u := range a.all() {
		if k := u.known(); k.Generation > 0 {
			known = append(known, k)
		}
	}
	return known
}

// setIntent hands an intent to its unit, which journals it.
// An older one than the unit has is taken only from a proven leader.
func (a *agent) setIntent(in effect.Intent, proven bool) {
	a.mu.Lock()
	u := a.units[in.Spec.Unit]
	a.mu.Unlock()
	if u == nil {
		a.take(in)
		return
	}
	u.post(func() { u.setIntent(in, proven) })
}

// withdraw has a unit that no longer exists torn down and forgotten.
func (a *agent) withdraw(name string) {
	unit, err := model.ParseUnitName(name)
	if err != nil {
		return
	}
	a.mu.Lock()
	u := a.units[unit]
	delete(a.refused, unit)
	a.mu.Unlock()
	if u != nil {
		u.post(u.withdraw)
	}
}
