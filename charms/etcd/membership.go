package etcd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The calls of the charm; internal/operate carries them out.
const (
	callJoin    = "join"
	callPromote = "promote"
	callMember  = "member"
	callListed  = "listed"
	callLeave   = "leave"
	callAuth    = "auth"
	callClient  = "client"
	callDrop    = "drop-client"
)

// turnMembership lets one member at a time join or leave, turnRestart be
// restarted.
const (
	turnMembership = "membership"
	turnRestart    = "restart"
)

// A unit has one member of the cluster at a time, and a number for each that
// it had: its seat. A member that lost its data never comes back; once the
// cluster lists it no more the unit takes its next seat, as a learner.
const seatRecord = "seat/"

// currentSeat is the newest seat that is committed; the first needs no record.
func currentSeat(in effect.Input) int {
	newest := 1
	for _, r := range in.Spec.Records {
		var n int
		if _, err := fmt.Sscanf(r.Name, seatRecord+"%d", &n); err == nil && r.Scope == effect.UnitScope {
			newest = max(newest, n)
		}
	}
	return newest
}

// begunRecord holds the ID of the seat's member, once it has served.
func (m *member) begunRecord() string { return fmt.Sprint("begun/", m.seat) }

// entry are the flags with which the member starts for the first time; after
// that etcd ignores them. It says what is waited for until they are known.
func (m *member) entry(after []effect.ID) (flags []string, waits string) {
	cluster, state := m.founding.cluster(), "new"
	if !m.founds() {
		partner, found := m.partner()
		if !m.joined() && !m.lost && !m.leaving() && found {
			m.join(partner, after)
		}
		text, recorded := sdk.RecordOf(m.in, effect.UnitScope, m.joinTask())
		switch {
		case !recorded && !found:
			return nil, "for a member to join"
		case !recorded:
			return nil, "for its turn to join the cluster"
		}
		cluster, state = text, "existing"
	}
	token := fmt.Sprint(m.in.Spec.Model, "/", m.in.Spec.Unit.Application)
	return []string{"--initial-cluster=" + cluster, "--initial-cluster-state=" + state, "--initial-cluster-token=" + token}, ""
}

// entered reports whether it is known how the member starts.
func (m *member) entered() bool {
	_, recorded := sdk.RecordOf(m.in, effect.UnitScope, m.joinTask())
	return recorded || m.founds()
}

// joinTask is the task that adds the seat's learner, and the record of what it
// gave: the members with which etcd starts.
func (m *member) joinTask() string { return fmt.Sprint("task/join-", m.seat) }

func (m *member) join(partner effect.Remote, after []effect.ID) {
	m.b.Task(effect.Task{
		ID: effect.ID(m.joinTask()), Key: fmt.Sprint(m.seat), Result: effect.PublicResult,
		Run: effect.Exec{Call: callJoin, User: m.user(), Args: m.args(partner.Address,
			"name", m.in.Spec.Unit.Dashed(), "peer-url", m.founding.peerURL(m.in.Spec.Address))},
		Turn: m.membershipTurn(), After: after, Idempotent: true, Timeout: time.Minute,
	})
}

// promote makes a voter of the seat's learner once it has caught up.
func (m *member) promote() {
	partner, found := m.partner()
	if m.founds() || m.joined() || !found {
		return
	}
	m.b.Task(effect.Task{
		ID: effect.ID(fmt.Sprint("task/promote-", m.seat)), Key: fmt.Sprint(m.seat),
		Run:  effect.Exec{Call: callPromote, User: m.user(), Args: m.args(partner.Address, "peer-url", m.founding.peerURL(m.in.Spec.Address))},
		Turn: m.membershipTurn(), After: []effect.ID{serviceID}, Idempotent: true, Timeout: 5 * time.Minute,
	})
}

// membershipTurn is held by a member from its first step into or out of the
// cluster to the last, so that one at a time changes who votes.
func (m *member) membershipTurn() *effect.Turn {
	t := &effect.Turn{Name: turnMembership, Limit: 1, Rank: m.in.Spec.Unit.Number}
	if !m.leaving() {
		t.Clear = memberProbe
	}
	return t
}

// joined reports whether the member has published that it votes in its seat,
// and holds no turn for that any more.
func (m *member) joined() bool {
	return m.votes() && !sdk.Granted(m.in, turnMembership)
}

// votes reports whether the member has published that it votes in its seat. That
// it does not answer for a while changes nothing of what is wanted: a cluster that
// loses its quorum now and then would have its units count as flapping.
func (m *member) votes() bool {
	return sdk.Published(m.in, m.peers.ID).Unit["member"] == fmt.Sprint(m.seat)
}

// publishMember says that this unit's member votes, and records who it is.
func (m *member) publishMember() {
	if m.peers.ID == 0 {
		return
	}
	bag := map[string]string{}
	for k, v := range sdk.Published(m.in, m.peers.ID).Unit {
		bag[k] = v // what is unknown now was true when it was published
	}
	if m.known && !m.lost && m.begun == "" {
		m.b.Record(effect.UnitScope, m.begunRecord(), hexadecimal(m.observed.ID))
	}
	switch {
	case m.lost:
		delete(bag, "member")
	case m.serving() && !m.observed.Learner:
		bag["member"], bag["version"] = fmt.Sprint(m.seat), m.observed.Version
	}
	m.b.Publish(m.peers.ID, bag)
}

// members are the peers whose members vote.
func (m *member) members() []effect.Remote {
	return slices.DeleteFunc(sdk.Peers(m.in), func(p effect.Remote) bool { return p.Bag["member"] == "" || p.Address == "" })
}

// partner is the member that is asked for what this one cannot do itself: one
// that stays, where there is one.
func (m *member) partner() (effect.Remote, bool) {
	all := m.members()
	slices.SortStableFunc(all, func(a, b effect.Remote) int { return int(a.Life) - int(b.Life) })
	if len(all) == 0 {
		return effect.Remote{}, false
	}
	return all[0], true
}

// replace waits until the cluster lists the lost member no more, and then
// takes the unit's next seat.
func (m *member) replace() model.Status {
	partner, found := m.partner()
	if !found {
		return sdk.Blocked("the data of member %s is gone, and no other member is there: restore a snapshot into a new application", m.begun)
	}
	if m.unlisted(partner, m.begun) {
		m.b.Record(effect.UnitScope, fmt.Sprint(seatRecord, m.seat+1), m.begun)
		return sdk.Maintenance("joining anew in place of member %s", m.begun)
	}
	return sdk.Blocked("the data of member %s is gone, so that it must not start: run gantry run %s replace-member, and the unit joins anew",
		m.begun, m.in.Spec.Unit)
}

// unlisted reports whether another member is known not to list an ID.
func (m *member) unlisted(partner effect.Remote, id string) bool {
	m.b.Probe(effect.Probe{
		ID: listedProbe, Interval: 2 * time.Second, Timeout: 10 * time.Second,
		Exec: &effect.Exec{Call: callListed, Args: m.args(partner.Address, "id", id), User: m.user()},
	})
	listed, known := sdk.Fact[bool](m.in, listedProbe)
	return known && !listed
}

// leftRecord says that the cluster does not list the unit's member any more,
// which then never serves again.
func (m *member) leftRecord() string { return fmt.Sprint("left/", m.seat) }

func (m *member) left() bool {
	_, recorded := sdk.RecordOf(m.in, effect.UnitScope, m.leftRecord())
	return recorded
}

// depart takes the member out of the cluster while it still serves, as of two
// members both are needed for that, and lets the unit go only when no other
// member lists it.
func (m *member) depart() model.Status {
	self := m.in.Spec.Unit
	partner, found := m.partner()
	switch {
	case m.left():
		return sdk.Maintenance("left the cluster")
	case !found && m.foundsWithOthers():
		m.b.Hold(self, "the cluster that it founds has no other member yet")
		return sdk.Maintenance("founding the cluster before it leaves")
	case !found:
		return sdk.Active("the last member") // nobody is left to leave
	case m.begun == "" && m.known:
		m.b.Hold(self, "its member has yet to be known by its ID")
		m.b.Record(effect.UnitScope, m.begunRecord(), hexadecimal(m.observed.ID))
		return sdk.Maintenance("leaving the cluster")
	case m.begun == "":
		m.b.Hold(self, "etcd does not answer: its member may be one of the cluster")
		return sdk.Waiting("for etcd to say which member it is")
	}
	m.b.Hold(self, "the other members still list it")
	if m.unlisted(partner, m.begun) {
		m.b.Record(effect.UnitScope, m.leftRecord(), "yes")
	}
	m.b.Task(effect.Task{
		ID: "task/leave", Key: fmt.Sprint(m.seat),
		Run:    effect.Exec{Call: callLeave, Args: m.args(partner.Address, "id", m.begun), User: m.user()},
		Turn:   m.membershipTurn(),
		Yields: map[effect.ProbeID]string{listedProbe: "false"}, Idempotent: true, Timeout: 2 * time.Minute,
	})
	return sdk.Maintenance("leaving the cluster")
}

// foundsWithOthers reports whether another founder, who stays, has yet to
// serve: the cluster that it is to be part of may need this one.
func (m *member) foundsWithOthers() bool {
	return m.founds() && slices.ContainsFunc(sdk.Peers(m.in), func(p effect.Remote) bool {
		return p.Life == model.Alive && m.founding.includes(p.Unit)
	})
}

// endpoints are where clients reach the members.
func (m *member) endpoints() []string {
	all := []string{}
	if m.votes() {
		all = append(all, sdk.HostPort(m.in, clientPort))
	}
	for _, p := range m.members() {
		if p.Life == model.Alive {
			all = append(all, sdk.Join(p.Address, clientPort))
		}
	}
	slices.SortFunc(all, strings.Compare)
	return all
}
