package etcd

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// world is the twin's cluster: what the members would agree on, without delay.
type world struct {
	founders []string // names, once a majority of them has started
	members  map[model.UnitName]twinMember
	leader   model.UnitName
	broken   error // a promise that was not kept
}

type twinMember struct {
	id      int // in the cluster's list; 0 where it is not listed
	seat    int // how many members the unit had
	learner bool
	data    string // directory that holds its data, "" for none
	began   bool   // it has started once, so that it must not start on none
	running bool
	cut     bool
	set     []string // names of the members with which it started
	founds  bool     // it was started as one of a new cluster
}

// Begin implements sdk.Twin.
func (Charm) Begin(uint64) sdk.World { return world{members: map[model.UnitName]twinMember{}} }

// Step implements sdk.Twin.
func (Charm) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	c := w.(world)
	c.members = maps.Clone(c.members)
	var out sdk.Outcome
	switch e := e.(type) {
	case sdk.ServiceStarted:
		c.start(e)
	case sdk.ServiceStopped:
		c.change(e.Unit, func(m *twinMember) { m.running = false })
	case sdk.VolumeStamped:
		c.change(e.Unit, func(m *twinMember) { m.data = "" })
	case sdk.TaskRan:
		if !e.Undo {
			out = c.run(e)
		}
	case sdk.UnitCut:
		c.change(e.Unit, func(m *twinMember) { m.cut = true })
	case sdk.UnitHealed:
		c.change(e.Unit, func(m *twinMember) { m.cut = false })
	case sdk.UnitRemoved:
		delete(c.members, e.Unit)
	}
	c.found()
	c.elect()
	return c, out
}

func (w *world) change(u model.UnitName, f func(*twinMember)) {
	m := w.members[u]
	f(&m)
	w.members[u] = m
}

func (w *world) start(e sdk.ServiceStarted) {
	w.change(e.Unit, func(m *twinMember) {
		m.running = true
		data := flag(e.Service.Command, "--data-dir=")
		if m.data == data {
			return // all else was read when it started first
		}
		if m.id != 0 && m.began {
			w.broken = fmt.Errorf("%v starts member %d without the data that it had", e.Unit, m.id)
		}
		m.began = true
		m.data, m.founds = data, flag(e.Service.Command, "--initial-cluster-state=") == "new"
		m.set = nil
		for entry := range strings.SplitSeq(flag(e.Service.Command, "--initial-cluster="), ",") {
			name, _, _ := strings.Cut(entry, "=")
			m.set = append(m.set, name)
		}
	})
}

func flag(command []string, name string) string {
	for _, arg := range command {
		if value, ok := strings.CutPrefix(arg, name); ok {
			return value
		}
	}
	return ""
}

// found makes voters of the founders once a majority of them has started.
func (w *world) found() {
	for _, u := range w.units() {
		m := w.members[u]
		if !m.running || !m.founds || m.id != 0 {
			continue
		}
		if slices.Contains(w.founders, u.Dashed()) {
			if m.seat == 0 { // it comes after the others
				w.list(u, false)
			}
			continue
		}
		if w.founders != nil {
			w.broken = fmt.Errorf("%v founds a second cluster", u)
			continue
		}
		started := 0
		for _, other := range w.units() {
			o := w.members[other]
			if o.running && !o.cut && o.founds && slices.Contains(m.set, other.Dashed()) {
				started++
			}
		}
		if started*2 > len(m.set) {
			w.founders = m.set
			for _, other := range w.units() {
				if slices.Contains(m.set, other.Dashed()) {
					w.list(other, false)
				}
			}
		}
	}
}

// list adds a unit's next member.
func (w *world) list(u model.UnitName, learner bool) {
	w.change(u, func(m *twinMember) {
		m.seat++
		m.id, m.learner = 1000*m.seat+u.Number+1, learner
	})
}

func (w world) units() []model.UnitName {
	return slices.SortedFunc(maps.Keys(w.members), model.CompareUnits)
}

func (m twinMember) serving() bool { return m.running && !m.cut && m.id != 0 }

// quorum reports whether a majority of the voters serves.
func (w world) quorum() bool {
	voters, serving := 0, 0
	for _, m := range w.members {
		if m.id == 0 || m.learner {
			continue
		}
		voters++
		if m.serving() {
			serving++
		}
	}
	return voters > 0 && serving*2 > voters
}

func (w *world) elect() {
	if m := w.members[w.leader]; m.serving() && !m.learner && w.quorum() {
		return
	}
	w.leader = model.UnitName{}
	for _, u := range w.units() {
		if m := w.members[u]; m.serving() && !m.learner && w.quorum() {
			w.leader = u
			return
		}
	}
}

func (w *world) run(e sdk.TaskRan) sdk.Outcome {
	call := e.Task.Run.Call
	if out, ok := requirer.Simulate(e.Task.Run); ok {
		return sdk.Outcome{Output: out}
	}
	if !w.quorum() {
		return sdk.Outcome{Failed: "the cluster has no quorum"}
	}
	m := w.members[e.Unit]
	switch call {
	case callJoin:
		if m.id != 0 && !m.learner {
			return sdk.Outcome{Failed: "the unit's earlier member is listed"}
		}
		if m.id == 0 {
			w.list(e.Unit, true)
			w.change(e.Unit, func(m *twinMember) { m.began = false })
		}
		return sdk.Outcome{Output: w.cluster()}
	case callPromote:
		if !m.serving() {
			return sdk.Outcome{Failed: "the learner has not caught up"}
		}
		w.change(e.Unit, func(m *twinMember) { m.learner = false })
	case callLeave:
		w.change(e.Unit, func(m *twinMember) { m.id, m.learner = 0, false })
	}
	return sdk.Outcome{}
}

// cluster is etcd's list of the members.
func (w world) cluster() string {
	var all []string
	for _, u := range w.units() {
		if w.members[u].id != 0 {
			all = append(all, founding{}.named(u, fmt.Sprintf("10.0.0.%d", u.Number+1)))
		}
	}
	return strings.Join(all, ",")
}

// Answer implements sdk.Twin.
func (Charm) Answer(w sdk.World, unit model.UnitName, p effect.Probe) (string, bool) {
	c := w.(world)
	m := c.members[unit]
	switch p.ID {
	case statusProbe:
		return c.status(m), m.running && m.id != 0
	case healthProbe:
		if m.serving() && c.quorum() {
			return "200", true
		}
		return "503", m.running
	case refusedProbe:
		return "", true
	case memberProbe:
		return fmt.Sprint(m.serving() && !m.learner && c.quorum()), m.running
	case listedProbe:
		return fmt.Sprint(m.id != 0), c.quorum()
	}
	return "", false
}

func (w world) status(m twinMember) string {
	b, err := json.Marshal(memberStatus{
		ID: fmt.Sprint(m.id), Leader: fmt.Sprint(w.members[w.leader].id), Learner: m.learner, Version: "3.4.23",
	})
	if err != nil {
		panic("etcd: a status does not encode: " + err.Error())
	}
	return string(b)
}

// Safe implements sdk.Twin: one cluster was founded, no member started without
// the data that it had, and at most one learner is on its way.
func (Charm) Safe(w sdk.World) error {
	c := w.(world)
	learners := 0
	for _, m := range c.members {
		if m.id != 0 && m.learner {
			learners++
		}
	}
	if learners > 1 && c.broken == nil {
		return fmt.Errorf("%d learners join at once", learners)
	}
	return c.broken
}
