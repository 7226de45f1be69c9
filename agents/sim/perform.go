package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/unit"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// former is what undoes an effect.
type former struct {
	File *hostFileBefore `json:"file,omitempty"`
	Adds bool            `json:"adds,omitempty"` // the package was not there
}

type hostFileBefore struct {
	Unit model.UnitName `json:"unit"`
	File effect.File    `json:"file"`
}

// perform carries a step out: what undoes it is journaled, it is done, it is
// journaled. The agent may crash between any two of the three.
func (u *unitAgent) perform(p unit.Perform, done func(error)) {
	sim, s := u.machine.sim, p.Step
	if err := u.open(p); err != nil {
		done(fmt.Errorf("%s: %w", s.Name(), err))
		return
	}
	sim.after(sim.duration(s), u.beside(func() {
		sim.checkTurn(u, s)
		result, err := u.effect(s)
		sim.after(sim.between(0, 20*time.Millisecond), u.guarded(func() {
			if err != nil {
				u.failed(p, err)
				done(fmt.Errorf("%s: %w", s.Name(), err))
				return
			}
			delete(u.state.Answer.Confirmed, p.Key())
			u.record(unit.Entry{Done: u.endedOf(p, result)})
			sim.performed = append(sim.performed, Performed{u.name, s})
			sim.logf("%v: %s (%s)", u.name, s.Name(), s.Why)
			u.look()
			u.readNow()
			done(nil)
		}))
	}))
}

// duration draws how long a step takes.
func (s *simulation) duration(step effect.Step) time.Duration {
	switch step.Kind {
	case effect.Install:
		return s.between(time.Second, 20*time.Second)
	case effect.Start, effect.Restart, effect.Stop:
		return s.between(50*time.Millisecond, 3*time.Second)
	case effect.Run, effect.Undo:
		return s.between(100*time.Millisecond, 8*time.Second)
	case effect.Update, effect.Conclude:
		return 0
	default:
		return s.between(time.Millisecond, 50*time.Millisecond)
	}
}

// open journals what must be known of a step that a crash cuts short.
func (u *unitAgent) open(p unit.Perform) error {
	s, m := p.Step, u.machine
	switch {
	case s.Kind == effect.Update || s.Kind == effect.Conclude || s.Kind == effect.Undo:
	case s.Kind == effect.Run:
		if p.Token != 0 && !u.state.Leads() {
			return fmt.Errorf("leadership has ended: %w", model.ErrUnavailable)
		}
		u.record(unit.Entry{Opened: &s})
	case s.Kind == effect.Start || s.Kind == effect.Restart:
		svc := *s.Effect.Service
		if svc.Volume != "" {
			if err := u.stamped(svc); err != nil {
				return err
			}
		}
		start := unit.Start{Spec: specOf(svc), Process: svc.Process()}
		u.record(unit.Entry{Begun: &unit.Begun{Step: s, Start: &start, OldPID: u.state.Observed.Services[s.ID].PID}})
	case s.Effect.Service != nil:
	default:
		if _, known := u.state.Journal.Former(s); known || s.Undoes() {
			return nil
		}
		u.record(unit.Entry{Begun: &unit.Begun{Step: s, Former: m.before(s)}})
	}
	return nil
}

// before is what a step is about to change.
func (m *machine) before(s effect.Step) string {
	var f former
	switch s.Kind {
	case effect.Install:
		f.Adds = s.Effect.Package != nil && m.packages[s.Effect.Package.Name] == ""
	case effect.Write:
		if was, there := m.files[s.Effect.File.Path]; there {
			f.File = &hostFileBefore{was.unit, was.file}
		}
	}
	b, err := json.Marshal(f)
	if err != nil {
		panic("sim: what was before does not encode: " + err.Error())
	}
	return string(b)
}

// stamped refuses to start a service on a volume with another stamp.
func (u *unitAgent) stamped(svc effect.Service) error {
	for _, v := range u.state.Answer.Desired.Volumes {
		if v.ID != svc.Volume {
			continue
		}
		if got := u.machine.volumes[v.Path]; got != effect.VolumeStamped+v.Incarnation {
			return fmt.Errorf("volume %s is %q, not incarnation %s: %w", v.Path, got, v.Incarnation, model.ErrConflict)
		}
		return nil
	}
	return fmt.Errorf("volume %s is not wanted: %w", svc.Volume, model.ErrInvalid)
}

func specOf(svc effect.Service) string { return "spec of " + svc.Process() }

// effect does a step on the host. The result is a task's.
func (u *unitAgent) effect(s effect.Step) (result string, err error) {
	switch {
	case s.Kind == effect.Update || s.Kind == effect.Conclude:
		return "", nil
	case s.Effect.Service != nil:
		return "", u.serve(s)
	case s.Effect.Task != nil:
		return u.run(s)
	}
	u.machine.onDisk(u, s)
	return "", nil
}

// serve does a step of a service.
func (u *unitAgent) serve(s effect.Step) error {
	m, id := u.machine, serviceID(u.name, s.ID)
	p, there := m.processes[id]
	workload := m.sim.workload(u.name.Application)
	stop := func() {
		if there && p.pid != 0 {
			workload.step(sdk.ServiceStopped{Unit: u.name, Service: s.ID})
		}
	}
	switch s.Kind {
	case effect.Start, effect.Restart:
		stop()
		svc := *s.Effect.Service
		m.launch(id, process{unit: u.name, service: svc, spec: specOf(svc), volume: u.volumePath(svc.Volume), crashes: p.crashes})
	case effect.Reload:
		if p.pid == 0 {
			return fmt.Errorf("reload %s: it does not run: %w", s.ID, model.ErrUnavailable)
		}
		p.service = *s.Effect.Service
		m.processes[id] = p
		workload.step(sdk.ServiceReloaded{Unit: u.name, Service: p.service, Files: m.filesOf(u.name)})
	case effect.Stop:
		stop()
		p.pid, p.stopped = 0, true
		m.processes[id] = p
	case effect.Remove:
		stop()
		delete(m.processes, id)
	default:
		return fmt.Errorf("%s is no step of a service: %w", s.Name(), model.ErrInvalid)
	}
	return nil
}

func (u *unitAgent) volumePath(id effect.ID) string {
	for _, v := range u.state.Answer.Desired.Volumes {
		if v.ID == id {
			return v.Path
		}
	}
	return ""
}

// run runs a task, or undoes one; the workload says what it gave.
func (u *unitAgent) run(s effect.Step) (string, error) {
	w := u.machine.sim.workload(u.name.Application)
	out := w.step(sdk.TaskRan{Unit: u.name, Task: *s.Effect.Task, Undo: s.Kind == effect.Undo})
	if out.Failed != "" {
		return "", errors.New(out.Failed)
	}
	if s.Kind == effect.Undo {
		return "", nil
	}
	for _, p := range u.state.Answer.Desired.Probes {
		want, asked := s.Effect.Task.Yields[p.ID]
		if r := u.read(p); asked && (r.Failed || r.Value != want) {
			return "", fmt.Errorf("postcondition: probe %s is %q, not %q", p.ID, r.Value, want)
		}
	}
	return out.Output, nil
}

// failed has the claim of a failed task closed, if the task may run again.
func (u *unitAgent) failed(p unit.Perform, err error) {
	if p.Token != 0 && p.Step.Effect.Task.Idempotent {
		u.record(unit.Entry{Failed: &unit.Outcome{Task: *p.Step.Effect.Task, Token: p.Token, Failed: err.Error()}})
	}
}

// endedOf is how a step ended, for the journal.
func (u *unitAgent) endedOf(p unit.Perform, result string) *unit.Ended {
	s := p.Step
	e := &unit.Ended{Step: s}
	t := s.Effect.Task
	switch {
	case s.Kind == effect.Write:
		e.Digest = effect.Effect{File: s.Effect.File}.Hash()
	case s.Kind == effect.Run && (t.Scope == effect.ApplicationScope || t.Result != effect.NoResult):
		e.Outcome = &unit.Outcome{Task: *t, Token: p.Token, Result: result}
	case s.Kind == effect.Conclude && t.Scope == effect.ApplicationScope:
		e.Outcome = &unit.Outcome{Task: *t}
	}
	return e
}

// onDisk does a step on packages, files and volumes.
func (m *machine) onDisk(u *unitAgent, s effect.Step) {
	was, _ := u.state.Journal.Former(s)
	var f former
	if was != "" {
		if err := json.Unmarshal([]byte(was), &f); err != nil {
			m.sim.fail("%v: what undoes %s does not decode: %v", u.name, s.ID, err)
		}
	}
	switch e := s.Effect; s.Kind {
	case effect.Install:
		m.install(e)
	case effect.Write:
		m.files[e.File.Path] = hostFile{u.name, *e.File}
	case effect.Stamp, effect.Wipe:
		stamp := effect.VolumeStamped + e.Volume.Incarnation
		if m.volumes[e.Volume.Path] != stamp {
			m.volumes[e.Volume.Path] = stamp
			m.sim.workload(u.name.Application).step(sdk.VolumeStamped{Unit: u.name, Volume: s.ID, Incarnation: e.Volume.Incarnation})
		}
	case effect.Destroy:
		delete(m.volumes, e.Volume.Path)
	case effect.Release:
	case effect.Remove:
		m.removed(e, f, u)
	default:
		m.sim.fail("%v: step %s is not known", u.name, s.Name())
	}
}

func (m *machine) install(e effect.Effect) {
	if e.Software != nil {
		m.software[e.Software.Directory()] = true
		return
	}
	m.packages[e.Package.Name] = versionOf(e.Package.Name)
}

func (m *machine) removed(e effect.Effect, f former, u *unitAgent) {
	switch {
	case e.File != nil && f.File != nil:
		m.files[e.File.Path] = hostFile{f.File.Unit, f.File.File}
	case e.File != nil:
		delete(m.files, e.File.Path)
	case e.Package != nil && f.Adds && !m.usedElsewhere(u, e.Package.Name):
		delete(m.packages, e.Package.Name)
	case e.Software != nil && !m.usesElsewhere(u, func(other effect.Effect) bool {
		return other.Software != nil && other.Software.Directory() == e.Software.Directory()
	}):
		delete(m.software, e.Software.Directory())
	}
}

func (m *machine) usedElsewhere(u *unitAgent, name string) bool {
	return m.usesElsewhere(u, func(e effect.Effect) bool { return e.Package != nil && e.Package.Name == name })
}

// usesElsewhere reports whether another unit of the machine has such an effect.
func (m *machine) usesElsewhere(u *unitAgent, such func(effect.Effect) bool) bool {
	for _, other := range m.runningUnits() {
		if other != u && slices.ContainsFunc(other.state.Journal.Applied, func(a effect.Applied) bool { return such(a.Effect) }) {
			return true
		}
	}
	return false
}

// clear removes the unit's own directories and journals what is left of data.
func (u *unitAgent) clear() {
	m := u.machine
	var left []string
	for path := range m.volumes {
		if strings.HasPrefix(path, u.state.Host.Data+"/") {
			left = []string{u.state.Host.Data}
		}
	}
	for path, f := range m.files {
		if f.unit == u.name {
			m.sim.fail("%v: %s is still there after its teardown", u.name, path)
		}
	}
	for id := range m.processes {
		if strings.HasPrefix(id, u.name.Dashed()+"/") {
			m.sim.fail("%v: %s still runs after its teardown", u.name, id)
		}
	}
	u.record(unit.Entry{Cleared: &unit.Ended{Left: left}})
	m.sim.workload(u.name.Application).step(sdk.UnitRemoved{Unit: u.name})
	m.sim.logf("%v: torn down", u.name)
}
