package cli_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/artifact"
	"github.com/gantry-orchestrator/gantry/engine/controller/audit"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/engine/server"
	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// epoch is when every story begins; its clock stands still.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a controller with the real state, solver, requests and transport,
// on machines whose agents do at once what they are told: when a change is
// answered, the model has converged. Options of the charms beside it decide
// otherwise: see react.
type world struct {
	mu       sync.Mutex
	state    state.State
	seen     *solver.Observed
	changes  []api.Change
	advanced chan struct{}
	frozen   bool
	lines    []api.LogLine
	past     *history.History // nil in most stories
}

// startWorld serves a world until the test ends and writes the administrator's
// context file.
func startWorld(t testing.TB, contextFile string) *world {
	t.Helper()
	w := &world{state: state.Empty(), seen: solver.NewObserved(epoch), advanced: make(chan struct{})}
	authority, err := pki.OpenAuthority(filepath.Join(filepath.Dir(contextFile), "pki"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	key, certificate, fingerprint, err := authority.Issue(pki.User, "admin", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	admin := client.Context{Addresses: []string{listener.Addr().String()}, CA: authority.PEM(), Certificate: certificate, Key: key}
	if err := admin.Save(contextFile); err != nil {
		t.Fatal(err)
	}
	for _, op := range []state.Op{
		state.SetUser{Name: "admin", Superuser: true, Certificates: []string{fingerprint}},
		state.AddModel{Model: "default", UUID: "0", Provider: "fake"},
	} {
		if _, err := w.apply(state.Command{Origin: state.Operator, Author: "user/admin", Ops: []state.Op{op}}); err != nil {
			t.Fatal(err)
		}
	}
	w.settle()
	w.serve(t, filepath.Dir(contextFile), listener, authority)
	return w
}

func (w *world) serve(t testing.TB, dir string, listener net.Listener, authority *pki.Authority) {
	t.Helper()
	charms, err := artifact.Open(filepath.Join(dir, "charms"), readCharms(t))
	if err != nil {
		t.Fatal(err)
	}
	requests, err := audit.Open(audit.Config{
		Dir: filepath.Join(dir, "audit"), Controller: "test", Now: func() time.Time { return epoch },
		Anchored: func() (state.Anchor, bool) { return state.Anchor{}, false },
	})
	if err != nil {
		t.Fatal(err)
	}
	config := api.Config{
		Authority: signer{authority, listener.Addr().String()}, Audit: requests,
		Log: w, Live: w, Catalog: charms, Policy: w.policy, Now: func() time.Time { return epoch },
		About: operator.ControllerInfo{ID: "test", Provider: "fake"},
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), pastMark)); err == nil {
		w.keepPast(dir)
		config.History, config.HistoryViews = w.past, w.past
	}
	service := api.New(config)
	if w.past != nil {
		w.remember(t, service)
	}
	serverKey, serverCertificate, _, err := authority.Issue(pki.Controller, "test", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(serverCertificate, serverKey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(server.Config{
		TLS: credentials.NewTLS(authority.ServerTLS(pair)), Standing: alone, Undone: func(error) bool { return false }, Gate: service, Audit: requests.Record, Identify: identify, Log: slog.New(slog.DiscardHandler),
		Handlers: wire.Handlers{Operator: wire.Operator{
			Models: service, Statuses: service, Applications: service, Settings: service, Units: service, Relations: service,
			Machines: service, Operations: service, Turns: service, Tasks: service, Orders: service, Charms: service,
			Controller: service, Users: service, Logs: service, Tokens: service, Certificates: service, Audits: service,
			History: service, Queries: service,
		}, Agents: service, Hosts: service, Joins: service, Sessions: nil, Artifacts: nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func identify(c *x509.Certificate) (api.Identity, error) {
	kind, name, err := pki.Bearer(c)
	return api.Identity{Kind: api.Kind(kind), Name: name, Fingerprint: pki.Fingerprint(c)}, err
}

// charmDirs are Gantry's own charms and those of the stories, from this
// package's directory.
func charmDirs(here string) (dirs []string) {
	for _, dir := range []string{"../../../../charms/pgbouncer", "../../../../charms/postgresql", "../../../../charms/telemetry", "testdata/charms/mirror"} {
		dirs = append(dirs, filepath.Join(here, dir))
	}
	return dirs
}

// readCharms are the charms of charmDirs as they declare themselves.
func readCharms(t testing.TB) (charms []api.Artifact) {
	t.Helper()
	for _, dir := range charmDirs(".") {
		declared, err := charm.Read(dir, os.DirFS(dir))
		if err != nil {
			t.Fatal(err)
		}
		charms = append(charms, api.Artifact{Hash: "hash-of-" + string(declared.Meta.Name), BuiltIn: true, Declared: *declared})
	}
	return charms
}

// policy refuses every change while the world is frozen.
func (w *world) policy(_ context.Context, _ api.Identity, _ state.State, _ state.Command) error {
	if w.frozen {
		return fmt.Errorf("phase LEOP allows no change before 14:00: %w", model.ErrFrozen)
	}
	return nil
}

// Propose implements api.Log: it commits, and lets the world settle.
func (w *world) Propose(_ context.Context, commands ...state.Command) ([]state.Outcome, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	outcomes := make([]state.Outcome, 0, len(commands))
	for _, c := range commands {
		result, err := w.apply(c)
		outcomes = append(outcomes, state.Outcome{Result: result, Err: err})
	}
	w.settle()
	close(w.advanced)
	w.advanced = make(chan struct{})
	return outcomes, nil
}

func (w *world) apply(c state.Command) (state.Result, error) {
	c.Version, c.Now = state.FormatVersion, epoch
	next, result, err := w.state.Apply(c)
	w.state = next
	if err == nil && len(result.Changed) > 0 {
		w.changes = append(w.changes, api.Change{Index: result.Index, Revision: result.Revision, Author: c.Author, Reason: c.Reason, Keys: result.Changed})
	}
	return result, err
}

// settle solves, makes machines and has agents report until nothing happens.
func (w *world) settle() {
	for range 1000 {
		through := w.state.Disturbed()
		commands, _ := solver.Solve(w.state, solver.Everything(), w.seen)
		for _, c := range commands {
			_, _ = w.apply(c) // a conflict is solved again
		}
		busy := len(commands) > 0
		for _, m := range w.state.Models() {
			busy = w.machinesOf(m.Name) || busy
			for _, u := range w.state.ModelUnits(m.Name) {
				busy = w.report(u) || busy
			}
			busy = w.operate(m.Name) || busy
		}
		w.seen.Forget(w.state)
		if !busy && !w.state.Silent() {
			_, _ = w.apply(state.Command{Origin: state.Solver, Ops: []state.Op{state.MarkSolved{Through: through}}})
			continue
		}
		if !busy {
			return
		}
	}
	panic("the world does not settle")
}

func (w *world) says(op state.Op) {
	if _, err := w.apply(state.Command{Origin: state.Agents, Author: "agent", Ops: []state.Op{op}}); err != nil {
		panic(err)
	}
}

func (w *world) machinesOf(m model.ModelName) (busy bool) {
	for _, row := range w.state.Machines(m) {
		w.seen.Heard[row.Ref()] = epoch
		switch {
		case row.Life == model.Dead:
			w.says(state.MachineGone{Model: m, Machine: row.Name})
			busy = true
		case row.State == state.MachineRequested:
			w.says(state.MachineJoined{Model: m, Machine: row.Name, Address: "10.0.0.1" + string(row.Name)})
			busy = true
		}
	}
	return busy
}

func (w *world) report(u state.Unit) bool {
	host, placed := w.state.Machine(state.MachineRef{Model: u.Model, Machine: u.Machine})
	intent, wanted := solver.IntentOf(w.state, u.Ref())
	if !placed || !wanted || host.State != state.MachineReady {
		return false
	}
	r := effect.Report{
		Unit: u.Name, Generation: intent.Generation, Hash: intent.Hash, Serial: intent.Live.Serial, Settled: true, Answered: true,
		Status: model.Status{Level: model.Active, Message: "ready"}, TornDown: intent.Spec.Life == model.Dead,
	}
	w.react(u, &r)
	old := w.seen.Reports[u.Ref()]
	if old.Hash == r.Hash && old.Serial == r.Serial && old.Status == r.Status && old.TornDown == r.TornDown && old.Reached == r.Reached {
		return false
	}
	w.seen.Take(u.Model, r)
	return true
}

// react gives a unit of the mirror charm the status that its option names, and
// lets it reach the stage of an order.
func (w *world) react(u state.Unit, r *effect.Report) {
	app, _ := w.state.Application(u.Ref().Application())
	if order, open := w.state.OpenOrder(app.Ref()); open {
		r.Reached = order.StageName()
	}
	switch v := app.Config["show"]; v.Text() {
	case "blocked":
		r.Status, r.Settled = model.Status{Level: model.Blocked, Message: "show is set to blocked"}, false
	case "busy":
		r.Status, r.Settled, r.Doing = model.Status{Level: model.Maintenance, Message: "installing"}, false, []string{"package/mirror"}
	}
}

// operate ends what is asked of units: an action with its parameters as
// results, but "break" fails; a command with its words as output.
func (w *world) operate(m model.ModelName) (busy bool) {
	for _, o := range w.state.Operations(m) {
		if o.Result != nil {
			continue
		}
		r := effect.OperationResult{ID: o.Run.ID, Output: map[string]string{}}
		for key, value := range o.Run.Params {
			r.Output[key] = fmt.Sprintf("%v (%T)", value, value)
		}
		switch {
		case o.Run.Action == "break":
			r.Failed = "the mirror is in pieces"
		case o.Run.Kind == effect.ExecOperation && slices.Contains(o.Run.Command, "false"):
			r.Code = 7
		case o.Run.Kind == effect.ExecOperation && slices.Contains(o.Run.Command, "nosuchcmd"):
			r.Failed, r.Code = "executable file not found in $PATH", -1
		case o.Run.Kind == effect.ExecOperation && slices.Contains(o.Run.Command, "yes"):
			r.Stdout, r.Truncated = "y\n", "output cut at 256 KiB of 600000 bytes: its end is kept"
		case o.Run.Kind == effect.ExecOperation:
			r.Stdout = fmt.Sprintln(o.Run.Command)
		}
		w.says(state.FinishOperation{Model: m, Result: r})
		w.lines = append(w.lines, api.LogLine{Model: m, Line: effect.LogLine{Time: epoch, Unit: o.Run.Unit, Source: "agent", Level: "info", Text: "ran " + o.Run.Action}})
		busy = true
	}
	return busy
}

// Read implements api.Log.
func (w *world) Read(context.Context) (state.State, error) { return w.State(), nil }

// State implements api.Log.
func (w *world) State() state.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Changes implements api.Log.
func (w *world) Changes(ctx context.Context, index uint64) ([]api.Change, uint64, error) {
	select {
	case <-w.Advanced(index):
	case <-ctx.Done():
		return nil, index, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i, _ := slices.BinarySearchFunc(w.changes, index+1, func(c api.Change, at uint64) int { return int(c.Index) - int(at) })
	return slices.Clone(w.changes[i:]), w.state.Index(), nil
}

// Advanced implements api.Log.
func (w *world) Advanced(index uint64) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state.Index() > index {
		there := make(chan struct{})
		close(there)
		return there
	}
	return w.advanced
}

// Report implements api.Live.
func (w *world) Report(u state.UnitRef) (effect.Report, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.seen.Reports[u]
	return r, ok
}

// Settled implements api.Live.
func (w *world) Settled(st state.State, u state.UnitRef) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return solver.Settled(st, w.seen, u)
}

// Machine implements api.Live.
func (w *world) Machine(state.MachineRef) api.MachineLive { return api.MachineLive{Reachable: true} }

// Convergence implements api.Live.
func (w *world) Convergence(st state.State, m model.ModelName, revision uint64) api.Convergence {
	w.mu.Lock()
	defer w.mu.Unlock()
	converged, waits := solver.Converged(st, m, w.seen, revision)
	out := api.Convergence{Converged: converged}
	for _, wait := range waits {
		line := wait.Subject + ": " + wait.Reason
		if wait.Blocked {
			out.Blocked = append(out.Blocked, line)
		} else {
			out.Waiting = append(out.Waiting, line)
		}
	}
	return out
}

// Changed implements api.Live.
func (w *world) Changed() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.advanced
}

// Progress implements api.Live.
func (w *world) Progress(state.MachineRef, string) {}

// Lines implements api.Live.
func (w *world) Lines(after uint64) ([]api.LogLine, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines[min(after, uint64(len(w.lines))):]), uint64(len(w.lines))
}

func (w *world) freeze(frozen bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frozen = frozen
}

func (w *world) index() string { return fmt.Sprint(w.State().Index()) }

// alone is how the only controller stands.
func alone() server.Standing { return server.Standing{Leads: true} }
