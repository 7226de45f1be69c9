package postgresql

import (
	"path"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The values of the option tls.
const (
	tlsAuto     = "auto"
	tlsRequired = "required"
)

// The files of a member that has a certificate.
const (
	keyFile  = "server.key"
	certFile = "server.pem"
	caFile   = "ca.pem"

	certID = effect.ID("file/" + certFile)
	caID   = effect.ID("file/" + caFile)
	showID = effect.ID("task/certificate")
)

// certify asks a related authority for the member's certificate, wants it shown,
// and says what is waited for until there is one.
func (m *member) certify(after []effect.ID) (files []effect.ID, waits string) {
	r, related := sdk.Relation(m.in, "certificates")
	switch {
	case !related && m.settings.tls == tlsRequired:
		return nil, "for certificates, which tls=required asks for: run gantry integrate " + string(m.in.Spec.Unit.Application) + ":certificates tls-certificates"
	case !related:
		return nil, ""
	}
	users := []effect.ID{caID, showID}
	if m.stopped() {
		users = []effect.ID{caID, certID} // it reads them when it starts
	}
	self := m.in.Spec
	m.tls, m.certified = requirer.Request(m.in, m.b, r, requirer.Subject{
		Name: self.Unit.Dashed(), Names: []string{string(self.Unit.Application)}, Addresses: []string{self.Address, "127.0.0.1"}, User: m.user(),
	}, users...)
	if !m.certified {
		return nil, "for " + string(r.Remote) + " to sign the member's certificate"
	}
	m.show()
	return m.certificateFiles(after), ""
}

func (m *member) tlsFile(name string) string { return path.Join(m.configDir(), name) }

// certificateFiles are what PostgreSQL shows, and whom it trusts as a standby.
func (m *member) certificateFiles(after []effect.ID) []effect.ID {
	file := func(name string, mode uint32, content effect.Content) effect.ID {
		return m.b.File(effect.File{Path: m.tlsFile(name), Mode: mode, Owner: m.user(), Group: m.user(), Content: content, After: after})
	}
	return []effect.ID{file(keyFile, 0o600, m.tls.Key()), file(certFile, 0o644, sdk.Text(m.tls.Leaf)), file(caFile, 0o644, sdk.Text(m.tls.Trust))}
}

// show has the server take its certificate up by a reload, which sessions do
// not notice, and is done once a connection is shown it: that may take until
// the cluster is founded.
func (m *member) show() {
	if m.stopped() {
		return
	}
	m.b.Task(effect.Task{
		ID: showID, Key: requirer.Fingerprint(m.tls.Leaf),
		Run:   effect.Exec{Call: callShow, Args: m.args("address", m.in.Spec.Address, "certificate", m.tls.Leaf), User: m.user()},
		After: []effect.ID{certID}, Idempotent: true, Timeout: 5 * time.Minute,
	})
}

// tlsParameters are PostgreSQL's own, which it reads again at each reload.
func (m *member) tlsParameters() map[string]string {
	if !m.certified {
		return nil
	}
	return map[string]string{"ssl": "on", "ssl_cert_file": m.tlsFile(certFile), "ssl_key_file": m.tlsFile(keyFile)}
}

// upstream is how a member reaches another as a standby: over TLS and sure of
// whom it reaches, once the others have all said that they show certificates.
func (m *member) upstream() string {
	if !m.certified || !m.othersShow() {
		return ""
	}
	return ", sslmode: verify-full, sslrootcert: " + quote(m.tlsFile(caFile))
}

// shows reports whether the server is known to show its certificate.
func (m *member) shows() bool {
	r, related := sdk.Relation(m.in, "certificates")
	if !related || !m.certified {
		return false
	}
	for _, ask := range interfaces.ParseCertificateRequests(sdk.Published(m.in, r.ID).Unit) {
		if ask.Shows != "" {
			return true // this one, or one before
		}
	}
	return false
}

// othersShow reports whether all other members have said that they show
// certificates.
func (m *member) othersShow() bool {
	for _, p := range m.members() {
		if p.Bag["tls"] != "on" {
			return false
		}
	}
	return true
}

// trusted is the secret by which a relation's client knows the servers, "" while
// some member shows no certificate. What was published stays until another one
// is made.
func (m *member) trusted(r effect.Relation) string {
	published := sdk.Published(m.in, r.ID).Application["secret-tls"]
	if !m.certified || published == "" && !(m.shows() && m.othersShow()) {
		return ""
	}
	if id, made := m.tls.Offer(m.in, m.b, r); made {
		return id
	}
	return published
}
