package pgbouncer

import (
	"fmt"
	"path"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The files of a pool that speaks TLS; all are read again at a reload.
const (
	keyFile      = "server.key" // that clients are shown
	certFile     = "server.pem"
	serverCAFile = "servers-ca.pem" // whom to trust as PostgreSQL
)

// certify asks a related authority for the certificate that clients are shown,
// and says what is waited for until there is one.
func (p *pool) certify() (waits string) {
	r, related := sdk.Relation(p.in, "certificates")
	if !related {
		return ""
	}
	p.tls, p.certified = requirer.Request(p.in, p.b, r, requirer.Subject{
		Name: p.in.Spec.Unit.Dashed(), Names: []string{"localhost", string(p.in.Spec.Unit.Application)},
		Addresses: []string{p.in.Spec.Address, "127.0.0.1"}, User: p.user("postgres"),
	}, poolID)
	if !p.certified {
		return "for " + string(r.Remote) + " to sign the pool's certificate"
	}
	return ""
}

// servers is the secret by which PostgreSQL's members are known, and false where
// they show no certificates.
func (p *pool) servers() (effect.Secret, bool) {
	return sdk.SecretByID(p.in, p.backend.Bag["secret-tls"])
}

// certificates are the files, and what pgbouncer.ini says of them. The pool's own
// authority is trusted as PostgreSQL's too: while it changes, the pool says when
// it has taken it up. HAProxy's address is no member's, so that names are not
// compared.
func (p *pool) certificates(file func(name string, mode uint32, content effect.Content) effect.ID) (ids []effect.ID, ini string) {
	if p.certified {
		ids = append(ids, file(keyFile, 0o600, p.tls.Key()), file(certFile, 0o644, sdk.Text(p.tls.Leaf)))
		ini += fmt.Sprintf("client_tls_sslmode = prefer\nclient_tls_key_file = %s\nclient_tls_cert_file = %s\n",
			path.Join(p.dir(), keyFile), path.Join(p.dir(), certFile))
	}
	if trusted, known := p.servers(); known {
		ids = append(ids, file(serverCAFile, 0o644, sdk.Text(sdk.Secret(trusted, "tls-ca"), "\n", p.tls.Trust)))
		ini += fmt.Sprintf("server_tls_sslmode = verify-ca\nserver_tls_ca_file = %s\n", path.Join(p.dir(), serverCAFile))
	}
	return ids, ini
}

// trusted is the secret by which the client knows the pool, "" without a
// certificate. What was published stays until another one is made.
func (p *pool) trusted(client effect.Relation) string {
	if !p.certified {
		return ""
	}
	if id, made := p.tls.Offer(p.in, p.b, client); made {
		return id
	}
	return sdk.Published(p.in, client.ID).Application["secret-tls"]
}
