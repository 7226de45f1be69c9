package postgresql

import (
	"cmp"
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

// world is the twin's cluster: what Patroni's members would agree on, without
// delay. It bears the loss of a minority of the voters.
type world struct {
	founded  map[string]model.UnitName // by incarnation: who founded a cluster
	second   error                     // a second founding, which must never be
	members  map[model.UnitName]twinMember
	primary  model.UnitName
	timeline int
	wanted   dynamic // as the consensus has it
}

type twinMember struct {
	address     string
	partners    []string // addresses that its configuration named when it started
	inEtcd      bool     // its configuration says that the consensus is elsewhere
	founds      bool     // where nobody has: its configuration says how
	settings    dynamic  // that it would found with
	incarnation string
	running     bool
	starts      int // of its postmaster
	cut         bool
	voter       bool
	nofailover  bool              // it is no candidate, as its configuration says
	applied     map[string]string // parameters as of its last start
}

// Begin implements sdk.Twin.
func (Charm) Begin(uint64) sdk.World {
	return world{founded: map[string]model.UnitName{}, members: map[model.UnitName]twinMember{}}
}

// Step implements sdk.Twin.
func (Charm) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	c := w.(world).clone()
	var out sdk.Outcome
	switch e := e.(type) {
	case sdk.ServiceStarted:
		if e.Service.ID == serviceID {
			c.start(e)
		}
	case sdk.ServiceReloaded:
		if e.Service.ID == serviceID {
			c.change(e.Unit, func(m *twinMember) { m.nofailover = noCandidate(e.Files) })
		}
	case sdk.ServiceStopped:
		if e.Service != serviceID {
			break
		}
		c.change(e.Unit, func(m *twinMember) { m.running = false })
	case sdk.VolumeStamped:
		c.change(e.Unit, func(m *twinMember) { m.incarnation, m.voter = e.Incarnation, false })
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
	c.gather()
	c.elect()
	return c, out
}

func (w world) clone() world {
	w.founded, w.members = maps.Clone(w.founded), maps.Clone(w.members)
	return w
}

func (w *world) change(u model.UnitName, f func(*twinMember)) {
	m := w.members[u]
	f(&m)
	w.members[u] = m
}

// start has a member come back, or take part in the cluster of its
// incarnation as soon as there is one.
func (w *world) start(e sdk.ServiceStarted) {
	known := w.members[e.Unit]
	known.address, known.incarnation, known.running = e.Address, e.Incarnation, true
	known.partners = partnersOf(e.Files)
	known.inEtcd = strings.Contains(patroniText(e.Files), "etcd3: {")
	known.nofailover = noCandidate(e.Files)
	known.settings, known.founds = bootstrapSettings(e.Files)
	known.starts++
	known.applied = w.wanted.PostgreSQL.Parameters
	w.members[e.Unit] = known
}

// gather makes voters of the members that start for the first time: of one
// that reaches a voter, by being added, and of those that name each other, by
// founding, once they are a majority of the set and the one that may is there.
func (w *world) gather() {
	for _, u := range w.units() {
		m := w.members[u]
		switch {
		case m.voter || !m.running || m.cut:
		case w.reaches(m):
			w.admit(u)
		case m.founds && w.majority(m):
			if founder, founded := w.founded[m.incarnation]; founded && founder != u {
				w.second = fmt.Errorf("%v founds a second cluster of %s, which %v founded", u, m.incarnation, founder)
				continue
			}
			w.found(u, m)
		}
	}
}

// set are the addresses of the voters among which a member would found.
func (m twinMember) set() []string { return append(slices.Clone(m.partners), m.address) }

func (w *world) majority(m twinMember) bool {
	present := 0
	for _, other := range w.members {
		if other.running && !other.cut && other.incarnation == m.incarnation && slices.Contains(m.set(), other.address) {
			present++
		}
	}
	return present*2 > len(m.set())
}

// reaches reports whether a starting member finds a voter among its partners.
func (w *world) reaches(m twinMember) bool {
	for _, other := range w.members {
		if other.serving() && other.incarnation == m.incarnation && (m.inEtcd || slices.Contains(m.partners, other.address)) {
			return true
		}
	}
	return false
}

func (w *world) admit(u model.UnitName) {
	w.change(u, func(m *twinMember) { m.voter, m.applied = true, w.wanted.PostgreSQL.Parameters })
}

// found begins a cluster, of which the whole set are voters.
func (w *world) found(u model.UnitName, m twinMember) {
	w.founded[m.incarnation] = u
	w.primary, w.timeline, w.wanted = u, 1, m.settings
	for _, other := range w.units() {
		if o := w.members[other]; o.incarnation == m.incarnation && slices.Contains(m.set(), o.address) {
			w.admit(other)
		}
	}
}

func patroniText(files []effect.File) string {
	var b strings.Builder
	for _, f := range files {
		for _, s := range f.Content {
			if f.ID == patroniYML {
				b.WriteString(s.Text)
			}
		}
	}
	return b.String()
}

// partnersOf are the partners' addresses in a member's configuration.
func partnersOf(files []effect.File) (addresses []string) {
	_, list, _ := strings.Cut(patroniText(files), "partner_addrs: ")
	list, _, _ = strings.Cut(list, "}")
	var partners []string
	if list != "" && json.Unmarshal([]byte(list), &partners) != nil {
		panic("postgresql: the charm's own configuration does not decode: " + list)
	}
	for _, p := range partners {
		address, _, _ := strings.Cut(p, ":")
		addresses = append(addresses, address)
	}
	return addresses
}

func noCandidate(files []effect.File) bool {
	return strings.Contains(patroniText(files), "tags: {nofailover: true")
}

func bootstrapSettings(files []effect.File) (d dynamic, founds bool) {
	for line := range strings.Lines(patroniText(files)) {
		if body, ok := strings.CutPrefix(strings.TrimSpace(line), "dcs: "); ok {
			return settingsOf(body), true
		}
	}
	return dynamic{}, false
}

func settingsOf(body string) dynamic {
	var d dynamic
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		panic("postgresql: the charm's own configuration does not decode: " + err.Error())
	}
	return d
}

// configured is the digest of what the consensus holds.
func (w world) configured() string { return sdk.Digest(w.wanted.body()) }

// serving reports whether a member takes part now.
func (m twinMember) serving() bool { return m.running && !m.cut && m.voter }

// quorum reports whether a majority of the voters serves. An etcd elsewhere
// always does.
func (w world) quorum() bool {
	voters, serving := 0, 0
	for _, m := range w.members {
		if m.inEtcd && m.voter {
			return true
		}
		if m.voter {
			voters++
		}
		if m.serving() {
			serving++
		}
	}
	return voters > 0 && serving*2 > voters
}

func (w world) units() []model.UnitName {
	return slices.SortedFunc(maps.Keys(w.members), model.CompareUnits)
}

// elect keeps a primary that serves, and otherwise promotes the first standby
// that does, on a new timeline.
func (w *world) elect() {
	if w.members[w.primary].serving() && w.quorum() {
		return
	}
	w.promote(w.primary)
}

// promote makes a standby other than from the primary, where one may be.
func (w *world) promote(from model.UnitName) {
	for _, u := range w.units() {
		if m := w.members[u]; u != from && m.serving() && !m.nofailover && w.quorum() {
			w.primary, w.timeline = u, w.timeline+1
			return
		}
	}
	if !w.members[from].serving() {
		w.primary = model.UnitName{}
	}
}

func (w *world) run(e sdk.TaskRan) sdk.Outcome {
	if out, ok := requirer.Simulate(e.Task.Run); ok {
		return sdk.Outcome{Output: out}
	}
	switch e.Task.Run.Call {
	case callConfigure:
		w.wanted = settingsOf(text(e.Task.Run.Args["body"]))
	case callRestart:
		if w.primary == e.Unit {
			w.promote(e.Unit)
		}
		w.change(e.Unit, func(m *twinMember) { m.applied, m.starts = w.wanted.PostgreSQL.Parameters, m.starts+1 })
	case callSwitchover:
		if w.primary == e.Unit {
			w.promote(e.Unit)
		}
	case callLeave:
		if m := w.members[e.Unit]; m.inEtcd && m.running {
			return sdk.Outcome{Failed: "it is listed until it has stopped"}
		}
		w.change(e.Unit, func(m *twinMember) { m.voter = false })
	case callAdmit, callDatabase, callDropUser, callMonitoring:
		if w.primary.IsZero() {
			return sdk.Outcome{Failed: "the cluster has no primary now"}
		}
	case callStanza:
		return sdk.Outcome{Output: text(e.Task.Run.Args["epoch"])}
	}
	return sdk.Outcome{}
}

func text(c effect.Content) string {
	var b strings.Builder
	for _, s := range c {
		b.WriteString(s.Text)
	}
	return b.String()
}

// Answer implements sdk.Twin.
func (Charm) Answer(w sdk.World, unit model.UnitName, p effect.Probe) (string, bool) {
	c := w.(world)
	m := c.members[unit]
	switch p.ID {
	case healthProbe:
		return "200", m.running
	case statusProbe:
		return c.status(unit), m.running
	case memberProbe:
		return fmt.Sprint(m.serving() && c.quorum() && !c.primary.IsZero()), m.running
	case listedProbe:
		return fmt.Sprint(m.voter), c.quorum()
	case backupProbe:
		return "true", true
	case exporterProbe:
		return "200", true
	case configuredProbe:
		return c.configured(), m.running
	case takenUpProbe:
		return quote(takenUp{Settings: c.configured(), Pending: m.pending(c.wanted.PostgreSQL.Parameters)}), m.running
	}
	return "", false
}

func (w world) status(u model.UnitName) string {
	m := w.members[u]
	s := patroniStatus{State: "running", Role: "replica", Timeline: w.timeline, NoFailover: m.nofailover, Unlocked: w.primary.IsZero(), ServerVersion: 150020, PendingRestart: m.pending(w.wanted.PostgreSQL.Parameters), Started: fmt.Sprint("start ", m.starts)}
	switch {
	case w.primary == u:
		s.Role = "master"
	case w.sync() == u:
		s.SyncStandby = true
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic("postgresql: a status does not encode: " + err.Error())
	}
	return string(b)
}

// sync is the standby that confirms commits: the first that serves.
func (w world) sync() model.UnitName {
	for _, u := range w.units() {
		if m := w.members[u]; u != w.primary && m.serving() && !m.nofailover {
			return u
		}
	}
	return model.UnitName{}
}

// pending reports whether a parameter that is read at start has changed since.
func (m twinMember) pending(wanted map[string]string) bool {
	for name := range restarts {
		if wanted[name] != m.applied[name] {
			return true
		}
	}
	return false
}

// Safe implements sdk.Twin: nobody founded a second cluster, and the primary
// is a voter among members of one incarnation.
func (Charm) Safe(w sdk.World) error {
	c := w.(world)
	p, found := c.members[c.primary]
	if found && p.running && !p.voter {
		return cmp.Or(c.second, fmt.Errorf("%v is the primary and no voter", c.primary))
	}
	return c.second
}
