package etcd

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// founding is how the cluster began. It is a record, so the first commit wins
// and no change of leader can found a second cluster.
type founding struct {
	Members []founder `json:"members"`
	TLS     bool      `json:"tls,omitempty"` // to clients and between members, for good
}

// founder is a voter from the start.
type founder struct {
	Unit    model.UnitName `json:"unit"`
	Address string         `json:"address"`
}

const (
	foundingRecord = "founding"
	foundingSince  = "founding-since"
	rootSecret     = "root"

	// foundingPatience is how long a leader waits for the addresses of all
	// planned units before it names those that it sees.
	foundingPatience = 20 * time.Second
)

// mint lets the leader make the cluster's identity once, and says what is
// waited for until all of it is committed.
func (m *member) mint() (waits string) {
	secret, minted := sdk.SecretNamed(m.in, rootSecret)
	m.root = secret
	text, founded := sdk.RecordOf(m.in, effect.ApplicationScope, foundingRecord)
	founded = founded && json.Unmarshal([]byte(text), &m.founding) == nil
	if m.in.Live.Leader {
		m.b.Secret(effect.SecretSpec{
			Name: rootSecret, Scope: effect.ApplicationScope, Fields: map[string]effect.SecretField{"password": {Random: 32}},
		})
	}
	_, certified := sdk.Relation(m.in, "certificates")
	switch {
	case !minted:
		return "for the leader to make the cluster's password"
	case founded:
		return ""
	case m.settings.tls == tlsRequired && !certified:
		return "for certificates: run gantry integrate " + string(m.in.Spec.Unit.Application) + ":certificates tls-certificates"
	case m.in.Live.Leader:
		m.nameFounders(certified && m.settings.tls != tlsOff)
	}
	return "for the leader to name the founders"
}

// nameFounders proposes all units whose machines are there. A pair bears no
// loss, so that one of two founds alone.
func (m *member) nameFounders(tls bool) {
	all := []founder{{m.in.Spec.Unit, m.in.Spec.Address}}
	for _, p := range sdk.Peers(m.in) {
		if p.Life == model.Alive && p.Address != "" {
			all = append(all, founder{p.Unit, p.Address})
		}
	}
	if len(all) < m.in.Spec.Planned && !m.b.Patience(m.in, foundingSince, foundingPatience) {
		return
	}
	if len(all) == 2 {
		all = all[:1]
	}
	slices.SortFunc(all, func(a, b founder) int { return model.CompareUnits(a.Unit, b.Unit) })
	b, err := json.Marshal(founding{Members: all, TLS: tls})
	if err != nil {
		panic("etcd: the founding does not encode: " + err.Error())
	}
	m.b.Record(effect.ApplicationScope, foundingRecord, string(b))
}

// founds reports whether this unit's member is a voter from the start. One
// that lost its data is a founder no more.
func (m *member) founds() bool { return m.seat == 1 && m.founding.includes(m.in.Spec.Unit) }

func (f founding) includes(u model.UnitName) bool {
	return slices.ContainsFunc(f.Members, func(o founder) bool { return o.Unit == u })
}

// cluster is etcd's list of the founders.
func (f founding) cluster() string {
	var all []string
	for _, o := range f.Members {
		all = append(all, f.named(o.Unit, o.Address))
	}
	return strings.Join(all, ",")
}
