package unit_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// world is a host, a supervisor and a controller in memory, and an agent that
// carries actions out one at a time and may be killed between any two writes.
type world struct {
	t       *rapid.T
	desire  func(effect.Input) effect.Desired
	crashes int // how often the agent may still be killed

	files    map[string]string // by path
	volumes  map[effect.ID]string
	packages map[string]string
	running  map[effect.ID]unit.Process
	loaded   map[effect.ID]map[string]string // by service: the files as it read them
	tasks    map[effect.ID]string            // key of the last run
	runs     map[string]int                  // of tasks, by ID and key
	restarts map[effect.ID]int
	pid      int
	token    uint64
	late     bool                  // the controller may take its time with a report
	waiting  *effect.Report        // that it has not looked at yet
	returned map[effect.Grant]bool // as reports said

	journal [][]byte // as on disk
	intent  effect.Intent
	state   unit.State
	now     time.Time
}

func newWorld(t *rapid.T, desire func(effect.Input) effect.Desired) *world {
	w := &world{
		t: t, desire: desire, files: map[string]string{}, volumes: map[effect.ID]string{}, packages: map[string]string{},
		running: map[effect.ID]unit.Process{}, loaded: map[effect.ID]map[string]string{}, tasks: map[effect.ID]string{},
		returned: map[effect.Grant]bool{}, runs: map[string]int{}, restarts: map[effect.ID]int{}, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	w.boot()
	return w
}

// killed is what a crash throws.
type killed struct{}

// may is a place where the agent may be killed.
func (w *world) may() {
	if w.crashes > 0 && rapid.IntRange(0, 5).Draw(w.t, "killed") == 0 {
		w.crashes--
		panic(killed{})
	}
}

// boot starts an agent: of the old one only the journal is left.
func (w *world) boot() {
	var j unit.Journal
	for _, record := range w.journal {
		var e unit.Entry
		if err := json.Unmarshal(record, &e); err != nil {
			w.t.Fatal(err)
		}
		j = j.Apply(e)
	}
	w.state = unit.State{
		Journal: j, Connected: true, Now: w.now, LeadsUntil: w.now.Add(time.Hour),
		Facts: map[effect.ProbeID]effect.Fact{}, Read: map[effect.ProbeID]bool{}, Sent: map[string]unit.Mark{},
	}
	w.look()
}

func (w *world) record(e unit.Entry) {
	b, err := json.Marshal(e)
	if err != nil {
		w.t.Fatal(err)
	}
	w.may()
	w.journal = append(w.journal, b)
	w.state.Journal = w.state.Journal.Apply(e)
	w.may()
}

// look observes the host, and reads all probes.
func (w *world) look() {
	o := unit.Observed{Ready: true, Packages: maps.Clone(w.packages), Files: map[effect.ID]string{}, Volumes: maps.Clone(w.volumes), Services: maps.Clone(w.running)}
	effects := w.state.Answer.Desired.Effects()
	for _, a := range w.state.Journal.Applied {
		effects = append(effects, a.Effect)
	}
	for _, e := range slices.Backward(effects) {
		if e.File != nil {
			o.Files[e.File.ID] = w.files[e.File.Path]
		}
		if e.Volume != nil && o.Volumes[e.Volume.ID] == "" {
			o.Volumes[e.Volume.ID] = effect.VolumeEmpty
		}
	}
	w.state.Observed = o
	clear(w.state.Facts)
	for _, p := range w.state.Answer.Desired.Probes {
		w.state.Read[p.ID] = true
		if key := w.tasks[effect.ID(p.ID)]; key != "" {
			w.state.Facts[p.ID] = effect.Fact{Value: key}
		}
	}
}

// run carries actions out until there are none, through crashes.
func (w *world) run() {
	for n := 0; ; n++ {
		if n > 400 {
			w.t.Fatalf("does not come to rest; next: %+v", unit.Step(w.state))
		}
		if !w.round() {
			return
		}
	}
}

// round carries one action out; false when there was none.
func (w *world) round() (busy bool) {
	defer func() {
		if r := recover(); r != nil {
			if r != (killed{}) {
				panic(r)
			}
			w.boot()
			busy = true
		}
	}()
	actions := unit.Step(w.state)
	if w.waiting != nil && (len(actions) == 0 || w.late && rapid.IntRange(0, 4).Draw(w.t, "heard") == 0) {
		w.hear()
		return true
	}
	if len(actions) == 0 {
		return false
	}
	w.act(actions[rapid.IntRange(0, len(actions)-1).Draw(w.t, "action")])
	w.look()
	return true
}

func (w *world) act(a unit.Action) {
	switch a := a.(type) {
	case unit.Ask:
		w.ask(a, nil)
	case unit.Confirm:
		w.look()
		w.ask(w.state.Question(), a.Steps)
	case unit.Perform:
		if unit.NeedsConfirm(a.Step) && !w.state.Answer.Confirmed[a.Key()] && !w.state.Journal.TearingDown() {
			w.t.Fatalf("%s without a confirmation", a.Step.Name())
		}
		w.mayDisrupt(a.Step)
		delete(w.state.Answer.Confirmed, a.Key())
		w.perform(a.Step)
	case unit.Adopt:
		w.record(unit.Entry{Done: &unit.Ended{Step: a.Step}})
	case unit.GiveBack:
		w.record(unit.Entry{Returned: a.Grants})
	case unit.Publish:
		w.may()
		w.commit(a)
	case unit.SendReport:
		w.state.Reported = unit.HashReport(a.Report)
		for _, g := range a.Report.Returned {
			w.returned[g] = true
		}
		w.waiting = &a.Report
		if !w.late {
			w.hear()
		}
	case unit.SetTimer:
		w.state.Timer = a.At
	case unit.Clear:
		w.record(unit.Entry{Cleared: &unit.Ended{}})
	default:
		w.t.Fatalf("action %T is not expected", a)
	}
}

func (w *world) ask(q unit.Ask, confirmed []string) {
	w.record(unit.Entry{Now: &unit.Advance{Now: q.Input.Now, For: w.state.Journal.Intent.Hash}})
	want := w.desire(q.Input)
	if r, ok := w.state.NextRound(want); ok {
		w.record(unit.Entry{Round: &r})
	}
	w.state.Answer = unit.Answer{For: q.For, Desired: want, Confirmed: map[string]bool{}}
	for _, key := range confirmed {
		w.state.Answer.Confirmed[key] = true
	}
}

func (w *world) perform(s effect.Step) {
	switch {
	case s.Kind == effect.Update || s.Kind == effect.Conclude:
	case s.Kind == effect.Run:
		w.record(unit.Entry{Opened: &s})
		w.tasks[s.ID] = s.Effect.Task.Key
		w.runs[string(s.ID)+" "+s.Effect.Task.Key]++
		w.may()
		w.record(unit.Entry{Done: &unit.Ended{Step: s}})
		return
	case s.Kind == effect.Undo:
		delete(w.tasks, s.ID)
	case s.Effect.Service != nil && (s.Kind == effect.Start || s.Kind == effect.Restart):
		svc := s.Effect.Service
		start := unit.Start{Spec: "spec of " + svc.Process(), Process: svc.Process()}
		w.record(unit.Entry{Begun: &unit.Begun{Step: s, Start: &start, OldPID: w.running[s.ID].PID}})
		w.launch(s, start)
	case s.Effect.Service != nil:
		w.service(s)
	default:
		w.begin(s)
		w.onHost(s)
	}
	w.may()
	ended := unit.Ended{Step: s}
	if s.Kind == effect.Write {
		ended.Digest = w.files[s.Effect.File.Path]
	}
	w.record(unit.Entry{Done: &ended})
}

func (w *world) begin(s effect.Step) {
	if _, known := w.state.Journal.Former(s); known || s.Undoes() {
		return
	}
	former := "former"
	if s.Effect.File != nil {
		former += w.files[s.Effect.File.Path]
	}
	w.record(unit.Entry{Begun: &unit.Begun{Step: s, Former: former}})
}

func (w *world) launch(s effect.Step, start unit.Start) {
	if w.running[s.ID].PID != 0 {
		w.restarts[s.ID]++
	}
	w.pid++
	w.running[s.ID] = unit.Process{PID: w.pid, Running: true, Spec: start.Spec, Since: w.now}
	w.loaded[s.ID] = maps.Clone(w.files)
}

func (w *world) service(s effect.Step) {
	switch s.Kind {
	case effect.Reload:
		w.loaded[s.ID] = maps.Clone(w.files)
	case effect.Stop:
		w.running[s.ID] = unit.Process{}
	case effect.Remove:
		delete(w.running, s.ID)
		delete(w.loaded, s.ID)
	}
}

// onHost writes, stamps, installs, or puts back what was there before.
func (w *world) onHost(s effect.Step) {
	former, _ := w.state.Journal.Former(s)
	switch e := s.Effect; {
	case s.Kind == effect.Write:
		w.files[e.File.Path] = e.File.Content[0].Text
	case s.Kind == effect.Remove && e.File != nil:
		delete(w.files, e.File.Path)
		if was := former[len("former"):]; was != "" {
			w.files[e.File.Path] = was
		}
	case s.Kind == effect.Stamp:
		w.volumes[s.ID] = effect.VolumeStamped + e.Volume.Incarnation
	case s.Kind == effect.Release:
		delete(w.volumes, s.ID)
	case s.Kind == effect.Install:
		w.packages[e.Package.Name] = "1"
	case s.Kind == effect.Remove && e.Package != nil:
		delete(w.packages, e.Package.Name)
	default:
		w.t.Fatalf("step %s is not expected", s.Name())
	}
}

// commit is the controller's part.
func (w *world) commit(a unit.Publish) {
	w.state.Sent[a.Key()] = w.state.MarkOf(a)
	w.change(func(s *effect.Spec, l *effect.Live) {
		for name, version := range a.Publication.Versions {
			versions := maps.Clone(s.Versions)
			if versions == nil {
				versions = map[string]string{}
			}
			versions[name] = version
			s.Versions = versions
		}
		for _, b := range a.Publication.Bags {
			l.Own = []effect.OwnBag{{Relation: b.Relation, Unit: b.Data}}
		}
	})
}

// grant takes back the turns that are given back, and gives those that are
// asked for.
func (w *world) grant(r effect.Report) {
	grants := slices.DeleteFunc(slices.Clone(w.intent.Live.Grants), func(g effect.Grant) bool { return slices.Contains(r.Returned, g) })
	for _, t := range r.Asks {
		if !slices.ContainsFunc(grants, func(g effect.Grant) bool { return g.Turn == t.Name }) {
			w.token++
			grants = append(grants, effect.Grant{Turn: t.Name, Token: w.token})
		}
	}
	if !slices.Equal(grants, w.intent.Live.Grants) {
		w.change(func(_ *effect.Spec, l *effect.Live) { l.Grants = grants })
	}
}

// hear has the controller look at the last report.
func (w *world) hear() {
	r := *w.waiting
	w.waiting = nil
	w.grant(r)
}

// mayDisrupt checks that a step acts under a turn that it was not said to have
// given back: the controller may have given it to another by now.
func (w *world) mayDisrupt(s effect.Step) {
	if s.Turn == nil || w.state.Journal.TearingDown() {
		return
	}
	for _, g := range w.state.Journal.Intent.Live.Grants {
		if g.Turn == s.Turn.Name && !w.returned[g] {
			return
		}
	}
	w.t.Fatalf("%s under a turn that it does not hold or gave back: %v", s.Name(), w.returned)
}

// change commits a change of the intent and sends it.
func (w *world) change(f func(*effect.Spec, *effect.Live)) {
	f(&w.intent.Spec, &w.intent.Live)
	w.intent.Live.Serial++
	if hash := w.intent.Spec.Hash(); hash != w.intent.Hash {
		w.intent.Hash, w.intent.Generation = hash, w.intent.Live.Serial
	}
	in := w.intent
	b, err := json.Marshal(unit.Entry{Intent: &in})
	if err != nil {
		w.t.Fatal(err)
	}
	w.journal = append(w.journal, b)
	w.state.Journal = w.state.Journal.Apply(unit.Entry{Intent: &in})
}

// host is what a run leaves, for comparison: no pids.
func (w *world) host() string {
	services := map[effect.ID]string{}
	for id, p := range w.running {
		services[id] = fmt.Sprint(p.Running, p.Spec)
	}
	for _, svc := range w.state.Answer.Desired.Services {
		for _, file := range slices.Concat(svc.RestartOn, svc.ReloadOn) {
			if w.running[svc.ID].PID == 0 {
				continue // what a process that is gone had read says nothing
			}
			services[svc.ID] += fmt.Sprint(" ", file, "=", w.loaded[svc.ID]["/"+strings.TrimPrefix(string(file), "file/")])
		}
	}
	b, err := json.Marshal([]any{w.files, w.volumes, w.packages, services, w.tasks})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(b)
}
