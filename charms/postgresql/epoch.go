package postgresql

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// epoch is one life of the cluster: it is founded once, and a restore begins
// the next. It is a record, so the first commit wins and no change of leader
// can found a second cluster.
type epoch struct {
	Number      int              `json:"number"`
	Founder     model.UnitName   `json:"founder"`
	With        []model.UnitName `json:"with,omitempty"`      // who are voters beside the founder from the start
	Incarnation string           `json:"incarnation"`         // stamp of every member's data
	Consensus   string           `json:"consensus,omitempty"` // its kind, raft where none is named
}

const (
	epochRecord = "epoch/"
	peerSecret  = "peer"
)

// passwords are the roles of a cluster of ours.
var passwords = []string{"operator", "replication", "rewind", "patroni", "raft"}

// mint lets the leader make the cluster's identity once, and says what is
// waited for until all of it is committed.
func (m *member) mint() (waits string) {
	secret, minted := sdk.SecretNamed(m.in, peerSecret)
	m.secret = secret
	if m.in.Live.Leader {
		fields := map[string]effect.SecretField{}
		for _, role := range passwords {
			fields[role] = effect.SecretField{Random: 32}
		}
		m.b.Secret(effect.SecretSpec{Name: peerSecret, Scope: effect.ApplicationScope, Fields: fields})
	}
	var founded bool
	m.epoch, founded = currentEpoch(m.in)
	if !founded {
		consensus, waits := m.chosenConsensus()
		if waits != "" {
			return waits
		}
		if m.in.Live.Leader {
			m.nameFounders(consensus)
		}
	}
	switch {
	case !minted:
		return "for the leader to make the cluster's passwords"
	case !founded:
		return "for the leader to name the founder"
	}
	return ""
}

// currentEpoch is the newest epoch that is committed.
func currentEpoch(in effect.Input) (newest epoch, found bool) {
	for _, r := range in.Spec.Records {
		if r.Scope != effect.ApplicationScope || !strings.HasPrefix(r.Name, epochRecord) {
			continue
		}
		var e epoch
		if json.Unmarshal([]byte(r.Value), &e) == nil && e.Number > newest.Number {
			newest, found = e, true
		}
	}
	return newest, found
}

// propose offers an epoch; the first commit of its number wins.
func (m *member) propose(e epoch) {
	b, err := json.Marshal(e)
	if err != nil {
		panic("postgresql: an epoch does not encode: " + err.Error())
	}
	m.b.Record(effect.ApplicationScope, fmt.Sprint(epochRecord, e.Number), string(b))
}

// founds reports whether this unit is a voter of the epoch's cluster from the
// start, so that it need not join.
func (m *member) founds() bool { return m.epoch.foundedBy(m.in.Spec.Unit) }

// members are the peers that have joined the epoch's cluster, those that stay
// before those that leave.
func (m *member) members() []effect.Remote {
	var stay, leave []effect.Remote
	for _, p := range sdk.Peers(m.in) {
		switch {
		case !m.belongs(p) || p.Address == "":
		case p.Life == model.Alive:
			stay = append(stay, p)
		default:
			leave = append(leave, p)
		}
	}
	return append(stay, leave...)
}

// anyStays reports whether a peer belongs to the cluster and stays in it.
func (m *member) anyStays() bool { return m.stay() != "" }

// stay names the peers that belong to the cluster and stay in it, as Patroni
// knows them.
func (m *member) stay() string {
	var names []string
	for _, p := range m.members() {
		if p.Life == model.Alive {
			names = append(names, p.Unit.Dashed())
		}
	}
	return strings.Join(names, " ")
}

// belongs reports whether a peer has joined the epoch's cluster.
func (m *member) belongs(p effect.Remote) bool { return p.Bag["member"] == fmt.Sprint(m.epoch.Number) }

// publishMember says that this unit has joined, and what part it plays.
func (m *member) publishMember() {
	if m.peers.ID == 0 {
		return
	}
	bag := map[string]string{}
	for k, v := range sdk.Published(m.in, m.peers.ID).Unit {
		bag[k] = v // what is unknown now was true when it was published
	}
	switch {
	case !m.certified:
		delete(bag, "tls")
	case m.shows() || m.running() && bag["member"] == "": // who has just begun began with it
		bag["tls"] = "on"
	}
	if m.running() {
		bag["member"] = fmt.Sprint(m.epoch.Number)
		bag["role"] = m.observed.role()
		bag["timeline"] = fmt.Sprint(m.observed.Timeline)
		m.publishStart(bag)
	}
	if m.hasTakenUp() {
		bag["settings"] = sdk.Digest(m.settings.dcs.body())
	}
	if m.stanzaDone() {
		bag["stanza"] = fmt.Sprint(m.epoch.Number)
	}
	m.b.Publish(m.peers.ID, bag)
}

// primary is the address of the member that is primary on the newest
// timeline, as far as this unit knows.
func (m *member) primary() (address string, found bool) {
	newest := -1
	if m.isPrimary() {
		address, newest = m.in.Spec.Address, m.observed.Timeline
	}
	for _, p := range m.members() {
		if t := number(p.Bag["timeline"]); p.Bag["role"] == rolePrimary && t > newest {
			address, newest = p.Address, t
		}
	}
	return address, newest >= 0
}
