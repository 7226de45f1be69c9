// Package requirer is how a charm asks a related authority for a certificate:
// a key that only its unit reads, a request that is published, and the answer
// once it is signed. A charm that uses it runs its Calls too.
package requirer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Subject is whom a certificate is for.
type Subject struct {
	Name      string   // common name, and a name in DNS
	Names     []string // further names in DNS
	Addresses []string // IPs
	User      string   // that makes the key, and runs what uses it
}

// Certificate is what the authority signed.
type Certificate struct {
	Leaf  string // PEM of the certificate, then of any between it and the authority's own
	Trust string // PEM of whom to trust; two while the authority changes its own

	key effect.Secret
}

// Key is the private key in PEM, for a file of the unit's own.
func (c Certificate) Key() effect.Content {
	if c.key.ID == "" {
		return nil
	}
	return sdk.Text(sdk.Secret(c.key, keyField))
}

const keyField = "value" // of a sealed result that is plain text

// Request asks for the unit's certificate in a relation, and has it once it is
// signed. users are the effects by which the unit's software takes up its
// certificate and whom to trust: once they are done the authority is told, which
// drops its old certificate only when nobody needs it.
func Request(in effect.Input, b *sdk.Builder, r effect.Relation, s Subject, users ...effect.ID) (Certificate, bool) {
	name := fmt.Sprint("task/tls-key-", r.ID)
	b.Task(effect.Task{
		ID: effect.ID(name), Key: "made", Result: effect.SealedResult, Idempotent: true,
		Run: effect.Exec{Call: callKey, User: s.User},
	})
	key, made := sdk.SecretNamed(in, name)
	if !made {
		return Certificate{}, false
	}
	names, addresses := strings.Join(append([]string{s.Name}, s.Names...), ","), strings.Join(s.Addresses, ",")
	request := fmt.Sprintf("task/tls-request-%d-%s", r.ID, digest(s.Name+";"+names+";"+addresses))
	b.Task(effect.Task{
		ID: effect.ID(request), Key: "made", Result: effect.PublicResult, Idempotent: true,
		Run: effect.Exec{Call: callRequest, User: s.User, Args: map[string]effect.Content{
			"key": sdk.Text(sdk.Secret(key, keyField)), "name": sdk.Text(s.Name), "names": sdk.Text(names), "addresses": sdk.Text(addresses),
		}},
		After: []effect.ID{effect.ID(name)},
	})
	csr, requested := sdk.RecordOf(in, effect.UnitScope, request)
	if !requested {
		return Certificate{}, false
	}
	ask := interfaces.CertificateRequest{CSR: csr, Trusts: []string{}}
	answer, signed := interfaces.ParseIssuedCertificate(r.Bag, csr)
	if !signed {
		publish(in, b, r, ask)
		return Certificate{}, false
	}
	c := Certificate{Leaf: answer.Certificate, Trust: trust(answer), key: key}
	for _, pem := range Split(c.Trust) {
		ask.Trusts = append(ask.Trusts, Fingerprint(pem))
	}
	ask.Shows = Fingerprint(c.Leaf)
	publish(in, b, r, ask, users...)
	return c, true
}

// publish writes the request; one that is answered no more keeps what it said
// of what it has taken up.
func publish(in effect.Input, b *sdk.Builder, r effect.Relation, ask interfaces.CertificateRequest, after ...effect.ID) {
	if len(ask.Trusts) == 0 {
		for _, old := range interfaces.ParseCertificateRequests(sdk.Published(in, r.ID).Unit) {
			if old.CSR == ask.CSR {
				ask.Trusts, ask.Shows = append(ask.Trusts, old.Trusts...), old.Shows
			}
		}
	}
	b.Publish(r.ID, interfaces.CertificateRequestsBag([]interfaces.CertificateRequest{ask}), after...)
}

// trust are the authorities of an answer, each once.
func trust(answer interfaces.IssuedCertificate) string {
	var all []string
	for _, pem := range append([]string{answer.CA}, answer.Chain...) {
		pem = strings.TrimSpace(pem) + "\n"
		if pem != "\n" && !slices.Contains(all, pem) {
			all = append(all, pem)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// Fingerprint names a certificate by its text.
func Fingerprint(pem string) string { return digest(strings.TrimSpace(pem)) }

// Split cuts PEM text into its blocks.
func Split(text string) []string {
	const end = "-----END CERTIFICATE-----"
	var all []string
	for {
		block, rest, found := strings.Cut(text, end)
		if !found {
			return all
		}
		all = append(all, strings.TrimSpace(block)+"\n"+end+"\n")
		text = rest
	}
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}
