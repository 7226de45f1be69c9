package sim

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// unitAgent carries one unit's actions out, as the agent's loop does.
type unitAgent struct {
	machine *machine
	name    model.UnitName
	epoch   int // of the agent that it belongs to
	state   unit.State
	probes  map[effect.ProbeID]*prober
	poked   bool
	gone    bool
}

// makeUnit begins a unit that has no journal yet.
func (m *machine) makeUnit(name model.UnitName) *unitAgent {
	u := &unitAgent{machine: m, name: name, epoch: m.agent, probes: map[effect.ProbeID]*prober{}}
	u.state = unit.State{
		Journal: unit.Journal{Intent: effect.Intent{Spec: effect.Spec{Unit: name}}}, Host: hostOf(name, ""),
		Facts: map[effect.ProbeID]effect.Fact{}, Read: map[effect.ProbeID]bool{},
		Running: map[string]unit.Action{}, Failures: map[string]unit.Failure{}, Sent: map[string]unit.Mark{},
		Connected: m.session != nil, Now: m.sim.now,
	}
	m.journals[name] = nil
	return u
}

// openUnit begins a unit from its journal; nil where that holds no intent.
func (m *machine) openUnit(name model.UnitName) *unitAgent {
	records := m.journals[name]
	u := m.makeUnit(name)
	m.journals[name] = records
	for _, b := range records {
		var e unit.Entry
		if err := json.Unmarshal(b, &e); err != nil {
			m.sim.fail("%v: its journal does not decode: %v", name, err)
		}
		u.state.Journal = u.state.Journal.Apply(e)
	}
	if u.state.Journal.Intent.Hash == "" {
		delete(m.journals, name)
		return nil
	}
	u.state.Host = hostOf(name, u.state.Journal.Intent.Spec.Charm.Name)
	return u
}

// hostOf is where things of a unit are.
func hostOf(name model.UnitName, charm model.CharmName) effect.Host {
	dir := func(parent string) string { return path.Join(parent, name.Dashed()) }
	return effect.Host{
		Root: "/", Data: dir("/var/lib/gantry/data"), Config: dir("/var/lib/gantry/config"),
		Run: dir("/run/gantry/unit"), Log: dir("/var/log/gantry"), Software: "/var/lib/gantry/software",
		Program: []string{"/usr/bin/gantry", "charm-exec", string(charm), "run"}, Superuser: true, User: "root",
	}
}

// record journals an entry.
func (u *unitAgent) record(e unit.Entry) {
	b, err := json.Marshal(e)
	if err != nil {
		panic("sim: a journal's entry does not encode: " + err.Error())
	}
	u.machine.journals[u.name] = append(u.machine.journals[u.name], b)
	u.state.Journal = u.state.Journal.Apply(e)
}

// begin looks at the host for the first time.
func (u *unitAgent) begin() {
	sim := u.machine.sim
	sim.after(sim.between(time.Millisecond, 50*time.Millisecond), u.guarded(func() {
		u.look()
		u.poke()
	}))
}

// poke has the unit asked what to do next, once for all that happens now.
func (u *unitAgent) poke() {
	if u.poked {
		return
	}
	u.poked = true
	u.machine.sim.after(0, u.guarded(func() {
		u.poked = false
		u.advance()
	}))
}

func (u *unitAgent) advance() {
	u.state.Now = u.machine.sim.now
	u.machine.sim.checkLeaders(u)
	for _, a := range unit.Step(u.state) {
		switch a := a.(type) {
		case unit.SetTimer:
			u.setTimer(a.At)
		case unit.Adopt:
			u.record(unit.Entry{Done: &unit.Ended{Step: a.Step}})
			u.poke()
		case unit.GiveBack:
			u.record(unit.Entry{Returned: a.Grants})
			u.poke()
		case unit.Forget:
			u.forget()
			return
		default:
			u.work(a)
		}
	}
}

func (u *unitAgent) setTimer(at time.Time) {
	u.state.Timer = at
	u.machine.sim.after(at.Sub(u.machine.sim.now), u.guarded(func() {
		if u.state.Timer.Equal(at) {
			u.state.Timer = time.Time{}
			u.poke()
		}
	}))
}

func (u *unitAgent) forget() {
	u.gone = true
	delete(u.machine.journals, u.name)
	delete(u.machine.units, u.name)
	u.machine.sim.logf("%v: forgotten", u.name)
}

// work begins an action and notes how it comes out.
func (u *unitAgent) work(a unit.Action) {
	key := a.Key()
	u.state.Running[key] = a
	mark := u.state.MarkOf(a)
	u.do(a, func(err error) {
		delete(u.state.Running, key)
		u.ended(a, mark, err)
		u.poke()
	})
}

func (u *unitAgent) ended(a unit.Action, mark unit.Mark, err error) {
	key := a.Key()
	if err == nil {
		delete(u.state.Failures, key)
		switch a.(type) {
		case unit.Publish, unit.PutSecret, unit.OpenClaim:
			u.state.Sent[key] = mark
		}
		return
	}
	times := u.state.Failures[key].Times + 1
	u.state.Failures[key] = unit.Failure{
		Text: err.Error(), Times: times, RetryAt: u.machine.sim.now.Add(unit.Backoff(times)),
		Blocked: unit.NeedsPerson(a, err),
	}
	u.machine.sim.logf("%v: %s failed: %v", u.name, key, err)
}

// connected notes whether a controller is in reach. To a new one everything is
// said again.
func (u *unitAgent) connected(yes bool) {
	u.state.Connected, u.state.Reported = yes, ""
	clear(u.state.Sent)
	for key := range u.state.Failures {
		if key == (unit.SendReport{}).Key() || key == (unit.Publish{}).Key() {
			delete(u.state.Failures, key)
		}
	}
	u.poke()
}

// lead extends what a leader may do.
func (u *unitAgent) lead(until time.Time) {
	if until.After(u.state.LeadsUntil) {
		u.state.LeadsUntil = until
		u.poke()
	}
}

// setIntent journals an intent that is newer than what is known.
func (u *unitAgent) setIntent(in effect.Intent) {
	was := u.state.Journal.Intent
	older := in.Generation < was.Generation || in.Generation == was.Generation && in.Live.Serial < was.Live.Serial
	same := in.Hash == was.Hash && in.Generation == was.Generation && in.Live.Serial == was.Live.Serial
	if older || same {
		return
	}
	u.record(unit.Entry{Intent: &in})
	u.state.Host = hostOf(u.name, in.Spec.Charm.Name)
	if in.Hash != was.Hash {
		for key := range u.state.Failures {
			if strings.HasPrefix(key, "step ") {
				delete(u.state.Failures, key)
			}
		}
	}
	u.poke()
}

func (u *unitAgent) withdraw() {
	if !u.state.Journal.Withdrawn {
		u.record(unit.Entry{Withdrawn: true})
		u.poke()
	}
}

// look observes the host of what is wanted or applied.
func (u *unitAgent) look() {
	m := u.machine
	seen := unit.Observed{
		Ready: true, Packages: map[string]string{}, Software: map[string]bool{}, Files: map[effect.ID]string{}, Volumes: map[effect.ID]string{},
		Services: u.state.Observed.Services,
	}
	effects := u.state.Answer.Desired.Effects()
	for _, a := range u.state.Journal.Applied {
		effects = append(effects, a.Effect)
	}
	for _, e := range slices.Backward(effects) {
		switch {
		case e.File != nil:
			seen.Files[e.File.ID] = ""
			if f, there := m.files[e.File.Path]; there {
				seen.Files[e.File.ID] = effect.Effect{File: &f.file}.Hash()
			}
		case e.Volume != nil:
			seen.Volumes[e.Volume.ID] = effect.VolumeEmpty
			if state, there := m.volumes[e.Volume.Path]; there {
				seen.Volumes[e.Volume.ID] = state
			}
		case e.Package != nil && m.packages[e.Package.Name] != "":
			seen.Packages[e.Package.Name] = m.packages[e.Package.Name]
		case e.Software != nil && m.software[e.Software.Directory()]:
			seen.Software[e.Software.Directory()] = true
		}
	}
	u.state.Observed = seen
	u.seeProcesses()
}

// seeProcesses takes what the supervisor runs.
func (u *unitAgent) seeProcesses() {
	services := map[effect.ID]unit.Process{}
	for id, p := range u.machine.processes {
		service, ours := strings.CutPrefix(id, u.name.Dashed()+"/")
		if !ours {
			continue
		}
		was := u.state.Observed.Services[effect.ID(service)]
		next := unit.Process{
			PID: p.pid, Spec: p.spec, Since: p.since, Restarts: p.crashes, Crashes: was.Crashes, Running: !p.stopped,
		}
		if was.Spec != "" {
			for range p.crashes - was.Restarts {
				next.Crashes = append(slices.Clone(next.Crashes), u.machine.sim.now)
			}
		}
		services[effect.ID(service)] = next
	}
	u.state.Observed.Services = services
}

// serviceID is a service's name on its machine.
func serviceID(u model.UnitName, id effect.ID) string { return u.Dashed() + "/" + string(id) }
