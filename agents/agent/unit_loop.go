package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/agents/agent/internal/journal"
	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// unitLoop owns the state of one unit. Everything that reads or changes it is
// a closure that the loop runs; workers do what takes time.
type unitLoop struct {
	agent   *agent
	name    model.UnitName
	log     *slog.Logger
	file    *journal.File
	events  chan func()
	done    chan struct{} // closed when the loop has ended
	state   unit.State
	probes  map[effect.ProbeID]*prober
	steps   int // that were performed since the agent started
	secrets *secretCache
	group   *errgroup.Group
	timer   *time.Timer
	oldLogs map[string]fs.FileInfo // as they were when the agent started
	broken  error                  // the journal cannot be written: the agent ends and is started again
	gone    bool
	traced  traced

	mu       sync.Mutex
	noted    effect.Known // the last intent that is journaled
	packages []string     // that are applied
	software []string     // that are applied: their directories
	// machineTasks are the keys of those of machine scope that are applied.
	machineTasks []string
}

// compactAt is the size from which a journal is rewritten as a snapshot.
const compactAt = 512 << 10

// driftInterval is how often a settled unit's host is looked at.
const driftInterval = time.Minute

// openUnit reads a journal; a nil loop means that it holds no intent.
func openUnit(a *agent, path string) (*unitLoop, error) {
	file, records, err := journal.Open(path)
	if err != nil {
		return nil, err
	}
	var j unit.Journal
	for _, r := range records {
		var e unit.Entry
		if err := json.Unmarshal(r, &e); err != nil {
			return nil, errors.Join(fmt.Errorf("journal %s was written by another version: %w: %w", path, err, model.ErrInvalid), file.Close())
		}
		j = j.Apply(e)
	}
	if j.Intent.Hash == "" {
		return nil, file.Remove()
	}
	u, err := newUnit(a, file, j)
	if err == nil {
		u.noteLogs()
	}
	return u, err
}

// makeUnit begins the journal of a new unit with its first intent.
func makeUnit(a *agent, in effect.Intent) (*unitLoop, error) {
	file, _, err := journal.Open(a.Dirs.journal(in.Spec.Unit))
	if err != nil {
		return nil, err
	}
	u, err := newUnit(a, file, unit.Journal{Intent: effect.Intent{Spec: effect.Spec{Unit: in.Spec.Unit, Charm: in.Spec.Charm}}})
	if err != nil {
		return nil, err
	}
	return u, u.record(unit.Entry{Intent: &in})
}

func newUnit(a *agent, file *journal.File, j unit.Journal) (*unitLoop, error) {
	name := j.Intent.Spec.Unit
	u := &unitLoop{
		agent: a, name: name, log: a.Logger.With(slog.String("unit", name.String())), file: file,
		events: make(chan func(), 64), done: make(chan struct{}), probes: map[effect.ProbeID]*prober{}, timer: time.NewTimer(time.Hour),
	}
	host := a.Dirs.Host(name)
	host.Program, host.Superuser, host.User = a.Program(j.Intent.Spec.Charm), a.Superuser, a.User
	u.state = unit.State{
		Journal: j, Host: host, Facts: map[effect.ProbeID]effect.Fact{}, Read: map[effect.ProbeID]bool{},
		Running: map[string]unit.Action{}, Failures: map[string]unit.Failure{}, Sent: map[string]unit.Mark{},
		Observed: unit.Observed{Services: map[effect.ID]unit.Process{}},
	}
	u.secrets = newSecretCache(a.Controller, name)
	u.note()
	return u, makeHost(host)
}

// run is the loop.
func (u *unitLoop) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	u.group = group
	drift := time.NewTicker(driftInterval)
	defer drift.Stop()
	u.watchHost(ctx)
	u.recover(ctx)
	for !u.gone && u.broken == nil && ctx.Err() == nil {
		u.advance(ctx)
		select {
		case <-ctx.Done():
		case f := <-u.events:
			f()
			u.drain()
		case <-u.timer.C:
			u.state.Timer = time.Time{}
		case <-drift.C:
			u.watchHost(ctx)
		}
	}
	stop()
	close(u.done)
	err := errors.Join(u.broken, group.Wait())
	if !u.gone {
		err = errors.Join(err, u.file.Close())
	}
	return err
}

// drain runs what else has come, so that Step is asked once for all of it.
func (u *unitLoop) drain() {
	for {
		select {
		case f := <-u.events:
			f()
		default:
			return
		}
	}
}

// advance asks what to do next and begins it.
func (u *unitLoop) advance(ctx context.Context) {
	u.state.Now = time.Now()
	u.agent.counts.rounds.Add(1)
	again := false
	for _, a := range unit.Step(u.state) {
		switch a := a.(type) {
		case unit.SetTimer:
			u.state.Timer = a.At
			u.timer.Reset(time.Until(a.At))
		case unit.Adopt:
			u.fail(u.record(unit.Entry{Done: &unit.Ended{Step: a.Step}}))
			again = true
		case unit.GiveBack:
			u.fail(u.record(unit.Entry{Returned: a.Grants}))
			again = true
		case unit.Forget:
			u.fail(u.file.Remove())
			u.gone = true
			return
		default:
			u.work(ctx, a)
		}
	}
	if again && u.broken == nil {
		u.advance(ctx)
	}
}

// work has a worker do an action.
func (u *unitLoop) work(ctx context.Context, a unit.Action) {
	key := a.Key()
	u.state.Running[key] = a
	var mark unit.Mark
	if commits(a) {
		mark = u.state.MarkOf(a)
	}
	u.group.Go(func() error {
		began := time.Now()
		err := u.do(ctx, a)
		u.post(func() {
			delete(u.state.Running, key)
			u.tell(a, began, err)
			u.ended(ctx, a, mark, err)
		})
		return nil
	})
}

// commits reports whether an action's outcome comes back with the intent.
func commits(a unit.Action) bool {
	switch a.(type) {
	case unit.Publish, unit.PutSecret, unit.OpenClaim:
		return true
	default:
		return false
	}
}

// ended notes how an action came out.
func (u *unitLoop) ended(ctx context.Context, a unit.Action, mark unit.Mark, err error) {
	key := a.Key()
	if err == nil {
		u.agent.counts.effects.Add(1)
		delete(u.state.Failures, key)
		if commits(a) {
			u.state.Sent[key] = mark
		}
		return
	}
	if ctx.Err() != nil {
		return
	}
	u.agent.counts.failures.Add(1)
	times := u.state.Failures[key].Times + 1
	u.state.Failures[key] = unit.Failure{
		Text: err.Error(), Times: times, RetryAt: time.Now().Add(unit.Backoff(times)),
		Blocked: unit.NeedsPerson(a, err),
	}
	u.log.Warn("action failed, will be tried again", slog.String("action", key), slog.Int("times", times), slog.Any("error", err))
}

// forgetFailures drops those of steps that are no longer wanted.
func (u *unitLoop) forgetFailures() {
	for key := range u.state.Failures {
		if strings.HasPrefix(key, "step ") {
			delete(u.state.Failures, key)
		}
	}
}

// post hands a closure to the loop. It blocks only while the loop is behind,
// and does nothing once it has ended. The loop itself never calls it.
func (u *unitLoop) post(f func()) {
	select {
	case u.events <- f:
	case <-u.done:
	}
}

// call runs a closure on the loop and waits for it.
func (u *unitLoop) call(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-u.done:
		return context.Canceled
	case u.events <- func() { done <- f() }:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-u.done:
		return context.Canceled
	case err := <-done:
		return err
	}
}

// record journals entries, which are on disk when it returns. Only the loop
// calls it.
func (u *unitLoop) record(entries ...unit.Entry) error {
	var records [][]byte
	for _, e := range entries {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		records = append(records, b)
	}
	if err := u.file.Append(records...); err != nil {
		u.broken = err
		return err
	}
	for _, e := range entries {
		u.state.Journal = u.state.Journal.Apply(e)
	}
	u.note()
	if u.file.Size() > compactAt {
		return u.compact()
	}
	return nil
}

func (u *unitLoop) compact() error {
	b, err := json.Marshal(unit.Entry{Snapshot: &u.state.Journal})
	if err != nil {
		return err
	}
	if int64(len(b)) > u.file.Size()/2 {
		return nil
	}
	return u.file.Compact(b)
}

// fail ends the loop where its journal cannot be trusted to be written.
func (u *unitLoop) fail(err error) {
	if err != nil && u.broken == nil {
		u.broken = err
	}
}

func (u *unitLoop) note() {
	u.mu.Lock()
	defer u.mu.Unlock()
	in := u.state.Journal.Intent
	u.noted = effect.Known{Unit: u.name, Generation: in.Generation, Hash: in.Hash, Serial: in.Live.Serial}
	u.packages, u.software, u.machineTasks = nil, nil, nil
	for _, a := range u.state.Journal.Applied {
		if a.Effect.Package != nil {
			u.packages = append(u.packages, a.Effect.Package.Name)
		}
		if a.Effect.Software != nil {
			u.software = append(u.software, a.Effect.Software.Directory())
		}
		if t := a.Effect.Task; t != nil && t.Scope == effect.MachineScope {
			u.machineTasks = append(u.machineTasks, machineKey(*t))
		}
	}
}

func (u *unitLoop) known() effect.Known {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.noted
}

// setIntent journals an intent that differs from what is known. An older one
// is taken from a proven leader only: what has gone, such as a relation, can
// have been the newest that went into the one before.
func (u *unitLoop) setIntent(in effect.Intent, proven bool) {
	was := u.state.Journal.Intent
	older := in.Generation < was.Generation || in.Generation == was.Generation && in.Live.Serial < was.Live.Serial
	same := in.Hash == was.Hash && in.Generation == was.Generation && in.Live.Serial == was.Live.Serial
	if same || older && !proven {
		return
	}
	entries := []unit.Entry{u.state.Journal.Next(in)}
	if in.Hash != was.Hash { // the charm is to be asked about it next
		entries = append(entries, unit.Entry{Now: u.state.Journal.Advanced(time.Now(), in.Hash)})
	}
	if err := u.record(entries...); err != nil {
		return
	}
	u.state.Host.Program = u.agent.Program(in.Spec.Charm)
	if in.Hash != was.Hash {
		u.forgetFailures()
	}
	u.fail(makeHostUnless(u.state))
}

func makeHostUnless(s unit.State) error {
	if s.Journal.TearingDown() {
		return nil
	}
	return makeHost(s.Host)
}

func (u *unitLoop) withdraw() {
	if !u.state.Journal.Withdrawn {
		u.fail(u.record(unit.Entry{Withdrawn: true}))
	}
}

// setProcesses takes what the supervisor runs of the unit. Crashes of late are kept, for
// the supervisor counts restarts since it first knew the service.
func (u *unitLoop) setProcesses(own map[string]supervise.Process) {
	services := map[effect.ID]unit.Process{}
	for service, p := range own {
		id := u.effectID(service)
		services[id] = observe(u.state.Observed.Services[id], p, time.Now())
	}
	u.state.Observed.Services = services
}
