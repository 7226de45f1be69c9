package etcd

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// user runs etcd: etcd, or the agent's own where it cannot change.
func (m *member) user() string {
	if m.in.Host.Superuser {
		return "etcd"
	}
	return m.in.Host.User
}

// home is the volume. Each seat of the unit has a directory of its own in it,
// so that what another left is neither read nor overwritten.
func (m *member) home() string      { return path.Join(m.in.Host.Data, "etcd") }
func (m *member) dataDir() string   { return path.Join(m.home(), fmt.Sprint("seat-", m.seat)) }
func (m *member) configDir() string { return path.Join(m.in.Host.Config, "etcd") }
func (m *member) stateDir() string  { return path.Join(m.in.Host.Config, "etcd-begun") }
func (m *member) refusal() string   { return path.Join(m.stateDir(), "refused") }

func (m *member) configFile(name string) string { return path.Join(m.configDir(), name) }

// The files of a member.
const (
	passwordFile = "root.password"
	keyFile      = "server.key"
	certFile     = "server.pem"
	caFile       = "ca.pem"
)

const (
	caID   = effect.ID("file/" + caFile)
	certID = effect.ID("file/" + certFile)
)

// directories are those that the files and the service need.
func (m *member) directories(after []effect.ID) []effect.ID {
	owned := func(p string) effect.ID {
		return m.b.Dir(effect.File{Path: p, Mode: 0o750, Owner: m.user(), Group: m.user(), After: after})
	}
	volume := m.b.Volume(effect.Volume{
		ID: volumeID, Path: m.home(), Owner: m.user(), Group: m.user(), Incarnation: "etcd", After: after,
	})
	return []effect.ID{owned(m.configDir()), owned(m.stateDir()), volume}
}

// certify asks for the member's certificate, and says what is waited for
// until there is one.
func (m *member) certify() (waits string) {
	if !m.founding.TLS {
		return ""
	}
	r, related := sdk.Relation(m.in, "certificates")
	if !related {
		return "for certificates: members were founded with TLS; run gantry integrate " +
			string(m.in.Spec.Unit.Application) + ":certificates tls-certificates"
	}
	users := []effect.ID{caID, certID} // what is not started yet reads them when it is
	if m.entered() {
		users = []effect.ID{serviceID, certID}
	}
	var issued bool
	m.tls, issued = requirer.Request(m.in, m.b, r, requirer.Subject{
		Name: m.in.Spec.Unit.Dashed(), Addresses: []string{m.in.Spec.Address, "127.0.0.1"}, User: m.user(),
	}, users...)
	if !issued {
		return "for " + string(r.Remote) + " to sign the member's certificate"
	}
	return ""
}

// files are what the service reads, and what actions need.
func (m *member) files(after []effect.ID) []effect.ID {
	file := func(name string, mode uint32, content effect.Content) effect.ID {
		return m.b.File(effect.File{Path: m.configFile(name), Mode: mode, Owner: m.user(), Group: m.user(), Content: content, After: after})
	}
	ids := []effect.ID{file(passwordFile, 0o600, sdk.Text(sdk.Secret(m.root, "password")))}
	if m.founding.TLS {
		ids = append(ids, file(keyFile, 0o600, m.tls.Key()), file(certFile, 0o644, sdk.Text(m.tls.Leaf)), file(caFile, 0o644, sdk.Text(m.tls.Trust)))
	}
	return ids
}

// service wants etcd, started by the charm's own program, which refuses to
// start a member whose data is lost.
func (m *member) service(entry []string, uses []effect.ID) {
	self, f := m.in.Spec.Address, m.founding
	command := slices.Concat(m.in.Host.Program, []string{
		"serve", m.dataDir(), path.Join(m.stateDir(), fmt.Sprint("seat-", m.seat)), m.refusal(), "/usr/bin/etcd",
		"--name=" + m.in.Spec.Unit.Dashed(), "--data-dir=" + m.dataDir(),
		"--listen-peer-urls=" + f.peerURL(self), "--initial-advertise-peer-urls=" + f.peerURL(self),
		"--listen-client-urls=" + f.clientURL(self), "--advertise-client-urls=" + f.clientURL(self),
		"--listen-metrics-urls=http://" + sdk.HostPort(m.in, metricsPort), "--logger=zap", "--log-level=warn",
	}, entry, m.settings.flags(), m.tlsFlags())
	s := effect.Service{
		ID: serviceID, Command: command, User: m.user(), Group: m.user(), Dir: m.home(),
		StopTimeout: 15 * time.Second, Health: healthProbe, Healthy: "200", Uses: uses, Volume: volumeID,
		Stopped: m.lost || m.leaving() && m.left(),
	}
	if f.TLS {
		s.RestartOn = []effect.ID{caID} // the key and the certificate are read at each handshake
	}
	if !s.Stopped {
		s.Turn = m.restartTurn()
	}
	m.b.Service(s)
}

// tlsFlags have members know each other by certificate. Clients have a password
// instead: with authorities of its own the client port would refuse them.
func (m *member) tlsFlags() []string {
	if !m.founding.TLS {
		return nil
	}
	key, cert, ca := m.configFile(keyFile), m.configFile(certFile), m.configFile(caFile)
	return []string{
		"--cert-file=" + cert, "--key-file=" + key,
		"--peer-cert-file=" + cert, "--peer-key-file=" + key, "--peer-trusted-ca-file=" + ca, "--peer-client-cert-auth",
	}
}

// restartTurn lets one member at a time restart, the leader last.
func (m *member) restartTurn() *effect.Turn {
	t := &effect.Turn{Name: turnRestart, Limit: 1, Clear: memberProbe}
	if m.leads() {
		t.Rank = 1
	}
	return t
}

func (m *member) probes() {
	interval, fall := 2*time.Second, 3
	if !m.serving() {
		interval, fall = 500*time.Millisecond, 8 // it comes up; whoever waits for it waits no longer
	}
	m.b.Probe(effect.Probe{
		ID: statusProbe, Interval: interval, Fall: fall,
		HTTP:   &effect.HTTPProbe{URL: m.founding.clientURL(m.in.Spec.Address) + "/v3/maintenance/status", Method: "POST"},
		Select: []string{"header.member_id", "leader", "isLearner", "version"},
	})
	m.b.Probe(effect.Probe{
		ID: healthProbe, Interval: interval, Fall: fall,
		HTTP: &effect.HTTPProbe{URL: "http://" + sdk.HostPort(m.in, metricsPort) + "/health"},
	})
	m.b.Probe(effect.Probe{ID: refusedProbe, Interval: 2 * time.Second, File: m.refusal()})
	if sdk.Granted(m.in, turnRestart) || sdk.Granted(m.in, turnMembership) {
		m.b.Probe(effect.Probe{ // releases the turn: "true" once the member votes and answers with a quorum
			ID: memberProbe, Interval: 2 * time.Second, Timeout: 10 * time.Second,
			Exec: &effect.Exec{Call: callMember, Args: m.args(m.in.Spec.Address), User: m.user()},
		})
	}
}

// args are the arguments of a call at the member of an address, with what it
// takes to be let in.
func (m *member) args(address string, pairs ...string) map[string]effect.Content {
	out := map[string]effect.Content{
		"endpoint": sdk.Text(m.founding.clientURL(address)),
		"password": sdk.Text(sdk.Secret(m.root, "password")),
		"trust":    sdk.Text(m.tls.Trust),
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = sdk.Text(pairs[i+1])
	}
	return out
}
