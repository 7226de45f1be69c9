package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// machine is a host: its disk, its processes and its agent.
type machine struct {
	sim     *simulation
	ref     state.MachineRef
	uuid    string
	address string

	// The disk.
	journals map[model.UnitName][][]byte
	files    map[string]hostFile // by path
	volumes  map[string]string   // value of the volume's fact, by path
	packages map[string]string   // installed version by name
	software map[string]bool     // by directory

	// What a crash of the machine ends.
	processes map[string]process // by unit and service

	up, cut bool
	agent   int // rises with each start and crash: who was before is not heard any more
	running bool
	stopped bool     // the agent, as by SIGSTOP
	held    []func() // what it does once it goes on
	session *session
	units   map[model.UnitName]*unitAgent
}

// hostFile is a file as a unit wrote it.
type hostFile struct {
	unit model.UnitName
	file effect.File
}

// process is a service as its supervisor has it.
type process struct {
	unit    model.UnitName
	service effect.Service
	volume  string // path of the volume that it runs on, "" for none
	spec    string
	pid     int // 0 while it waits to be started again
	since   time.Time
	crashes int
	stopped bool
}

// provision makes a machine and has its agent join.
func (s *simulation) provision(ref state.MachineRef, uuid string) {
	delete(s.ctl.making, uuid)
	row, ok := s.ctl.state.Machine(ref)
	if !ok || row.Life != model.Alive || row.State != state.MachineRequested || s.machines[uuid] != nil {
		s.ctl.provide()
		return
	}
	m := &machine{
		sim: s, ref: ref, uuid: uuid, address: "10.0.0." + string(ref.Machine),
		journals: map[model.UnitName][][]byte{}, files: map[string]hostFile{}, volumes: map[string]string{},
		packages: map[string]string{}, software: map[string]bool{}, processes: map[string]process{},
	}
	for _, name := range row.Packages {
		name, version, pinned := strings.Cut(name, "=")
		if !pinned {
			version = versionOf(name)
		}
		m.packages[name] = version
	}
	s.machines[uuid] = m
	s.order = append(s.order, m)
	m.boot()
}

// boot starts a machine that is down.
func (m *machine) boot() {
	m.up = true
	m.sim.logf("machine %s: up", m.ref.Machine)
	if _, err := m.sim.ctl.said(state.MachineJoined{Model: Model, Machine: m.ref.Machine, Address: m.address}); err != nil {
		m.sim.logf("machine %s: %v", m.ref.Machine, err)
	}
	m.startAgent()
}

// destroy ends a dead machine for good.
func (s *simulation) destroy(row state.Machine) {
	if m := s.machines[row.UUID]; m != nil {
		m.kill()
		for _, name := range slices.SortedFunc(maps.Keys(m.journals), model.CompareUnits) {
			s.workload(name.Application).step(sdk.UnitRemoved{Unit: name})
		}
		delete(s.machines, row.UUID)
		s.order = slices.DeleteFunc(s.order, func(o *machine) bool { return o == m })
	}
	s.logf("machine %s: destroyed", row.Name)
	if _, err := s.ctl.said(state.MachineGone{Model: Model, Machine: row.Name}); err != nil {
		s.fail("machine gone: %v", err)
	}
}

// kill ends every process of the machine at once.
func (m *machine) kill() {
	m.crashAgent()
	for _, id := range slices.Sorted(maps.Keys(m.processes)) {
		p := m.processes[id]
		delete(m.processes, id)
		if p.pid != 0 {
			m.sim.workload(p.unit.Application).step(sdk.ServiceStopped{Unit: p.unit, Service: p.service.ID, Crashed: true})
		}
	}
	m.up = false
}

// startAgent starts the machine's agent: of the one before only journals are
// left.
func (m *machine) startAgent() {
	if !m.up || m.running {
		return
	}
	m.agent++
	m.running = true
	m.units = map[model.UnitName]*unitAgent{}
	for _, name := range slices.SortedFunc(maps.Keys(m.journals), model.CompareUnits) {
		if u := m.openUnit(name); u != nil {
			m.units[name] = u
			u.begin()
		}
	}
	m.connect(m.agent)
}

// crashAgent ends the agent where it stands.
func (m *machine) crashAgent() {
	if !m.running {
		return
	}
	m.agent++
	m.running, m.stopped, m.held = false, false, nil
	m.units = nil
	if m.session != nil {
		m.session.close()
	}
}

// stop has the agent do nothing more; what it said before arrives, and what
// runs beside it goes on.
func (m *machine) stop() { m.stopped = true }

// goOn has a stopped agent take in what waited, one after the other: until it
// has, it acts by what it knew when it was stopped.
func (m *machine) goOn() {
	m.stopped = false
	if len(m.held) == 0 {
		return
	}
	do, epoch := m.held[0], m.agent
	m.held = m.held[1:]
	do()
	m.sim.after(m.sim.between(0, mostDelay), func() {
		if m.agent == epoch && !m.stopped {
			m.goOn()
		}
	})
}

// does is something that the agent does, once it runs.
func (m *machine) does(do func()) {
	if m.stopped {
		m.held = append(m.held, do)
		return
	}
	do()
}

// hears is does for what comes in order.
func (m *machine) hears(do func()) {
	if len(m.held) > 0 {
		m.held = append(m.held, do)
		return
	}
	m.does(do)
}

// runningUnits are the units of the agent, in order.
func (m *machine) runningUnits() []*unitAgent {
	var units []*unitAgent
	for _, name := range slices.SortedFunc(maps.Keys(m.units), model.CompareUnits) {
		units = append(units, m.units[name])
	}
	return units
}

// setIntent takes an intent of a unit that is new or changed.
func (m *machine) setIntent(in effect.Intent) {
	u := m.units[in.Spec.Unit]
	if u == nil {
		u = m.makeUnit(in.Spec.Unit)
		m.units[in.Spec.Unit] = u
		u.begin()
	}
	u.setIntent(in)
}

// withdraw tells a unit that it does not exist any more.
func (m *machine) withdraw(name model.UnitName) {
	if u := m.units[name]; u != nil {
		u.withdraw()
	}
}

// filesOf are the files of a unit as they are on the machine.
func (m *machine) filesOf(name model.UnitName) []effect.File {
	var files []effect.File
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		if m.files[path].unit == name {
			files = append(files, m.files[path].file)
		}
	}
	return files
}

// launch starts a process, in place of the one that runs.
func (m *machine) launch(id string, p process) {
	m.sim.serial++
	p.pid, p.since, p.stopped = int(m.sim.serial), m.sim.now, false
	m.processes[id] = p
	incarnation := ""
	if p.volume != "" {
		incarnation = strings.TrimPrefix(m.volumes[p.volume], effect.VolumeStamped)
	}
	m.sim.workload(p.unit.Application).step(sdk.ServiceStarted{
		Unit: p.unit, Address: m.address, Service: p.service, Files: m.filesOf(p.unit), Incarnation: incarnation,
	})
	m.sim.checkPlaces(p.unit)
}

// crash ends a process that its supervisor then starts again.
func (m *machine) crash(id string) {
	p, ok := m.processes[id]
	if !ok || p.pid == 0 {
		return
	}
	p.pid = 0
	p.crashes++
	m.processes[id] = p
	m.sim.workload(p.unit.Application).step(sdk.ServiceStopped{Unit: p.unit, Service: p.service.ID, Crashed: true})
	m.notice()
	m.sim.after(time.Second, func() {
		if now, still := m.processes[id]; still && m.up && now.pid == 0 && now.crashes == p.crashes && !now.stopped {
			m.launch(id, now)
			m.notice()
		}
	})
}

// notice has the agent ask its supervisor what runs, as it does every second.
func (m *machine) notice() {
	epoch := m.agent
	m.sim.after(m.sim.between(0, time.Second), func() {
		m.does(func() {
			if m.agent != epoch {
				return
			}
			for _, u := range m.runningUnits() {
				u.seeProcesses()
				u.poke()
			}
		})
	})
}

// versionOf is the version of a package that there is.
func versionOf(name string) string { return "1.0-" + name }
