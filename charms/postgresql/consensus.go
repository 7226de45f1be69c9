package postgresql

import (
	"fmt"
	"path"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The kinds of consensus, as the option dcs and the epochs' records name them.
const (
	consensusAuto = "auto"
	consensusRaft = "raft" // among the members themselves
	consensusEtcd = "etcd" // in keys of a related etcd
)

const etcdCAFile = "etcd-ca.pem"

// inEtcd reports whether the epoch's members agree through etcd. The kind is
// chosen when the cluster is founded and stays.
func (e epoch) inEtcd() bool { return e.Consensus == consensusEtcd }

// chosenConsensus is the kind for a cluster that is founded now, and what is
// waited for where it cannot be yet.
func (m *member) chosenConsensus() (kind, waits string) {
	_, related := sdk.Relation(m.in, "etcd")
	switch wanted := m.settings.consensus; {
	case wanted == consensusEtcd && !related:
		return "", "for etcd: run gantry integrate " + string(m.in.Spec.Unit.Application) + ":etcd etcd"
	case wanted == consensusRaft, !related:
		return consensusRaft, ""
	default:
		return consensusEtcd, ""
	}
}

// refusedConsensus says why the options ask for another kind of consensus than
// the cluster has, or "".
func (m *member) refusedConsensus() string {
	if m.settings.consensus == consensusAuto || (m.settings.consensus == consensusEtcd) == m.epoch.inEtcd() {
		return ""
	}
	has := consensusRaft
	if m.epoch.inEtcd() {
		has = consensusEtcd
	}
	return fmt.Sprintf("dcs is %s, and the cluster was founded with %s, which stays: set dcs=%s", m.settings.consensus, has, has)
}

// keys is what a related etcd grants.
type keys struct {
	interfaces.EtcdKeys
	login   effect.Secret
	trusted effect.Secret // whom to trust, zero for an etcd without TLS
}

// consult asks etcd for a part of its keys where the cluster needs one, and
// says what is waited for until it is granted. A relation that ends is used
// until it is gone.
func (m *member) consult() (waits string) {
	if !m.epoch.inEtcd() {
		return ""
	}
	all := sdk.Relations(m.in, "etcd")
	if len(all) == 0 {
		return "for etcd, where its consensus is: run gantry integrate " + string(m.in.Spec.Unit.Application) + ":etcd etcd; until then no member can take over from another"
	}
	r := all[len(all)-1]
	if m.in.Live.Leader && r.Life == model.Alive {
		m.b.PublishApplication(r.ID, interfaces.EtcdRequest{Prefix: m.keyPrefix()}.Bag())
	}
	granted, ready := interfaces.ParseEtcdKeys(r.Bag)
	login, known := sdk.SecretByID(m.in, granted.User)
	m.keys = keys{EtcdKeys: granted, login: login}
	if ready && granted.TLS != "" {
		var readable bool
		m.keys.trusted, readable = sdk.SecretByID(m.in, granted.TLS)
		known = known && readable
	}
	if !ready || !known {
		return fmt.Sprintf("for %s to grant keys for the consensus", r.Remote)
	}
	return ""
}

// keyPrefix is how the application's keys begin. The name of its own secret is
// in it, so that a later application of the same name begins with none.
func (m *member) keyPrefix() string {
	return fmt.Sprintf("/patroni/%s/%s-%s/", m.in.Spec.Model, m.in.Spec.Unit.Application, sdk.Digest(m.secret.ID))
}

// consensusFiles are what Patroni reads beside patroni.yml. It reads whom to
// trust anew at each connection. The members' own authority is among them:
// while it changes the members say when they have taken it up, so that etcd's
// is never behind.
func (m *member) consensusFiles(after []effect.ID) []effect.ID {
	if m.keys.trusted.ID == "" {
		return nil
	}
	return []effect.ID{m.b.File(effect.File{
		Path: path.Join(m.configDir(), etcdCAFile), Mode: 0o644, Owner: m.user(), Group: m.user(), After: after,
		Content: sdk.Text(sdk.Secret(m.keys.trusted, "tls-ca"), "\n", m.tls.Trust),
	})}
}

// consensusSection is Patroni's part of the configuration that says where the
// consensus is. Each epoch has keys of its own, as it has data of its own.
func (m *member) consensusSection() effect.Content {
	if m.epoch.inEtcd() {
		section := []any{
			"namespace: ", quote(strings.TrimSuffix(m.keyPrefix(), "/") + fmt.Sprint("/", m.epoch.Number)), "\n",
			"etcd3: {hosts: ", quote(m.keys.Endpoints),
		}
		if m.keys.trusted.ID != "" {
			section = append(section, ", protocol: https, cacert: ", quote(path.Join(m.configDir(), etcdCAFile)))
		}
		section = append(section, ", username: ", sdk.Encoded(m.keys.login, "username", effect.Quoted),
			", password: ", sdk.Encoded(m.keys.login, "password", effect.Quoted), "}\n")
		return sdk.Text(section...)
	}
	partners := []string{} // Patroni does not take null
	for _, p := range m.partners() {
		partners = append(partners, sdk.Join(p.Address, raftPort))
	}
	own := quote(sdk.HostPort(m.in, raftPort))
	return sdk.Text("raft: {data_dir: ", quote(m.raftDir()), ", self_addr: ", own, ", bind_addr: ", own,
		", password: ", m.passwordOf("raft", effect.Quoted), ", partner_addrs: ", quote(partners), "}\n")
}

// unusedEtcd says of a related etcd that it came too late, or "".
func (m *member) unusedEtcd() string {
	if _, related := sdk.Relation(m.in, "etcd"); !related || m.epoch.inEtcd() {
		return ""
	}
	return "; etcd is not used, as the cluster was founded with raft"
}
