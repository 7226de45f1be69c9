package tlscertificates

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// request is what a unit asks to have signed, and how that stands.
type request struct {
	relation model.RelationID
	unit     model.UnitName
	csr      string
	digest   string
	trusts   []string // the authorities that the unit says it has taken up; nil where it never says
	shows    string   // the certificate that it says it has taken up
	refused  string   // why, or ""
	issued   *issued  // the newest that was signed, or nil
	round    int      // how often it was signed by that generation
}

// asked are the requests of all alive relations, in order.
func (a *authority) asked() []request {
	var all []request
	for _, r := range sdk.Relations(a.in, "certificates") {
		if r.Life != model.Alive {
			continue
		}
		for _, u := range sdk.Present(r) {
			for _, q := range interfaces.ParseCertificateRequests(u.Bag) {
				sum := sha256.Sum256([]byte(strings.TrimSpace(q.CSR)))
				one := request{relation: r.ID, unit: u.Unit, csr: q.CSR, digest: hex.EncodeToString(sum[:8]), trusts: q.Trusts, shows: q.Shows}
				one.refused = refusal(q, u)
				all = append(all, one)
			}
		}
	}
	return all
}

// requests are those that are asked for, with what was signed for them.
func (a *authority) requests() []request {
	all := a.asked()
	for i := range all {
		q := &all[i]
		if a.withdrawn(*q) && q.refused == "" {
			q.refused = "its certificate was revoked: give the unit another key"
		}
		for n := a.signer.Number; n > 0 && q.issued == nil; n-- {
			for round := 1; ; round++ {
				text, signed := sdk.RecordOf(a.in, effect.ApplicationScope, signTask(q.digest, n, round))
				if !signed {
					break
				}
				if one, ok := parseIssued(text); ok {
					q.issued, q.round = one, round
				}
			}
		}
	}
	return all
}

func signTask(digest string, generation, round int) string {
	return fmt.Sprintf("task/sign-%s-%d-%d", digest, generation, round)
}

// refusal says why a request is not signed: it must name the unit that makes
// it and nobody else.
func refusal(q interfaces.CertificateRequest, u effect.Remote) string {
	block, _ := pem.Decode([]byte(q.CSR))
	if block == nil {
		return "it sends no request in PEM"
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		return "its request is not well-formed, or not signed by its own key"
	}
	if q.CA {
		return "it asks to be an authority itself"
	}
	own := net.ParseIP(u.Address)
	for _, address := range csr.IPAddresses {
		if !address.IsLoopback() && !address.Equal(own) {
			return fmt.Sprintf("it asks for address %s, and has %s", address, u.Address)
		}
	}
	for _, name := range append(slices.Clone(csr.DNSNames), csr.Subject.CommonName) {
		if name != "" && !names(name, u) {
			return fmt.Sprintf("it asks for the name %q, and is %s", name, u.Unit.Dashed())
		}
	}
	if len(csr.EmailAddresses)+len(csr.URIs) > 0 {
		return "it asks for an e-mail address or a URI"
	}
	return ""
}

// names reports whether a name is a unit's own: its host's, with or without a
// domain, its application's, or its machine's own word for itself.
func names(name string, u effect.Remote) bool {
	host, _, _ := strings.Cut(name, ".")
	return host == u.Unit.Dashed() || name == string(u.Unit.Application) || name == "localhost" || name == u.Address
}

// sign has what is due signed, and publishes what is.
func (a *authority) sign(requests []request) {
	answers, asked := map[model.RelationID][]interfaces.IssuedCertificate{}, map[model.RelationID]bool{}
	for _, q := range requests {
		asked[q.relation] = true
		if q.refused != "" {
			continue
		}
		a.renew(q)
		if q.issued != nil {
			answers[q.relation] = append(answers[q.relation], interfaces.IssuedCertificate{
				CA: a.trusted()[0], Chain: a.trusted(), CSR: q.csr, Certificate: q.issued.Certificate,
			})
		}
	}
	for _, r := range sdk.Relations(a.in, "certificates") {
		list, published := answers[r.ID], sdk.Published(a.in, r.ID).Application
		switch {
		case r.Life != model.Alive:
		case asked[r.ID]:
			a.b.PublishApplication(r.ID, interfaces.IssuedCertificatesBag(list))
		case len(published) > 0:
			a.b.PublishApplication(r.ID, published) // nobody asks now: who asks again is answered anew
		}
	}
	a.transfer()
}

// renew wants the signature that is due: the first, one by the authority that
// signs now, or another after two thirds of a life.
func (a *authority) renew(q request) {
	round := 1
	switch {
	case q.issued != nil && q.issued.Generation == a.signer.Number && a.in.Now.Before(q.issued.renewal()):
		a.b.Revisit(q.issued.renewal())
		round = q.round // it stays wanted, and is done
	case q.issued != nil && q.issued.Generation == a.signer.Number:
		round = q.round + 1
	}
	args := texts("csr", q.csr, "generation", fmt.Sprint(a.signer.Number), "seconds", fmt.Sprint(int(a.validity()/time.Second)), "ca", a.signer.Certificate)
	args["key"] = sdk.Text(sdk.Secret(a.signer.key, "value"))
	a.b.Task(effect.Task{
		ID: effect.ID(signTask(q.digest, a.signer.Number, round)), Key: q.digest, Scope: effect.ApplicationScope,
		Result: effect.PublicResult, Idempotent: true, Timeout: time.Minute,
		Run: effect.Exec{Call: callSign, Args: args, User: a.user()},
	})
}
