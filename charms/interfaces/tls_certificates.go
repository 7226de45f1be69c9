package interfaces

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// TLSCertificates is the interface of an authority and who asks it for
// certificates, in its version 1.
const TLSCertificates = "tls-certificates"

// The kinds of PEM block that bags carry.
const (
	pemCertificate = "CERTIFICATE"
	pemRequest     = "CERTIFICATE REQUEST"
)

var requestsKey = Key{
	Name: "certificate_signing_requests", Doc: "the requests, as a JSON list of {certificate_signing_request, ca}", Check: isCertificateRequests,
}

var tlsCertificates = Schema{
	Interface: TLSCertificates, Version: 1,
	Provider: Side{Application: []Key{
		{Name: "certificates", Required: true, Doc: "what was signed, as a JSON list of {ca, chain, certificate_signing_request, certificate}", Check: isIssuedCertificates},
	}},
	Requirer: Side{Application: []Key{requestsKey}, Unit: []Key{requestsKey}},
}

// CertificateRequest is what a requirer of tls-certificates wants signed.
type CertificateRequest struct {
	CSR    string   `json:"certificate_signing_request"` // PEM
	CA     bool     `json:"ca,omitempty"`                // wants to be an authority itself
	Trusts []string `json:"trusts,omitzero"`             // which authorities its software has taken up, by fingerprint; nil from who never says
	Shows  string   `json:"shows,omitempty"`             // which certificate its software has taken up, by fingerprint
}

// IssuedCertificate answers a CertificateRequest, all in PEM. During a
// rotation of the authority the chain's last certificates are the new and the
// old one, so that who trusts either trusts both.
type IssuedCertificate struct {
	CA          string   `json:"ca"`
	Chain       []string `json:"chain"`
	CSR         string   `json:"certificate_signing_request"`
	Certificate string   `json:"certificate"`
	Revoked     bool     `json:"revoked,omitempty"`
}

// CertificateRequestsBag is a requirer's bag.
func CertificateRequestsBag(requests []CertificateRequest) map[string]string {
	return jsonBag(requestsKey.Name, requests)
}

// ParseCertificateRequests reads a requirer's bag. One that is no list asks
// for nothing: the schema has told its writer.
func ParseCertificateRequests(bag map[string]string) []CertificateRequest {
	return fromJSON[[]CertificateRequest](bag[requestsKey.Name])
}

// IssuedCertificatesBag is the authority's application bag.
func IssuedCertificatesBag(issued []IssuedCertificate) map[string]string {
	return jsonBag("certificates", issued)
}

// ParseIssuedCertificate finds the answer to a request; false where it is not
// signed yet, or was revoked.
func ParseIssuedCertificate(bag map[string]string, csr string) (IssuedCertificate, bool) {
	for _, c := range fromJSON[[]IssuedCertificate](bag["certificates"]) {
		if c.CSR == csr && !c.Revoked {
			return c, true
		}
	}
	return IssuedCertificate{}, false
}

func isCertificateRequests(value string) error {
	requests, err := decode[[]CertificateRequest](value)
	if err != nil {
		return fmt.Errorf("expected a JSON list of {certificate_signing_request, ca}: %w", err)
	}
	for i, r := range requests {
		if err := isPEM(r.CSR, pemRequest); err != nil {
			return fmt.Errorf("request %d: %w", i+1, err)
		}
	}
	return nil
}

func isIssuedCertificates(value string) error {
	issued, err := decode[[]IssuedCertificate](value)
	if err != nil {
		return fmt.Errorf("expected a JSON list of {ca, chain, certificate_signing_request, certificate}: %w", err)
	}
	for i, c := range issued {
		for _, certificate := range append([]string{c.CA, c.Certificate}, c.Chain...) {
			if err := isPEM(certificate, pemCertificate); err != nil {
				return fmt.Errorf("certificate %d: %w", i+1, err)
			}
		}
		if err := isPEM(c.CSR, pemRequest); err != nil {
			return fmt.Errorf("certificate %d: %w", i+1, err)
		}
	}
	return nil
}

// isPEM checks for one block of a kind and nothing after it. Its message never
// repeats the value: who confuses the kinds may have sent a key.
func isPEM(value, kind string) error {
	block, rest := pem.Decode([]byte(value))
	switch {
	case block == nil:
		return fmt.Errorf("expected a %s in PEM", kind)
	case block.Type != kind:
		return fmt.Errorf("expected a %s in PEM, not a %s", kind, block.Type)
	case len(rest) > 0:
		return fmt.Errorf("expected one %s in PEM, and nothing after it", kind)
	}
	return nil
}

// CertificateTransfer is the interface of who hands on certificates to trust.
const CertificateTransfer = "certificate_transfer"

var certificateTransfer = Schema{
	Interface: CertificateTransfer, Version: 1,
	Provider: Side{Application: []Key{
		{Name: "certificates", Required: true, Doc: "whom to trust, as a JSON list of certificates in PEM", Check: isCertificateList},
		{Name: "version", Doc: "of the interface", Check: isVersionOne},
	}},
	Requirer: Side{Application: []Key{{Name: "version", Doc: "of the interface", Check: isVersionOne}}},
}

// TrustedBag is the application bag of who hands on certificates.
func TrustedBag(certificates []string) map[string]string {
	bag := jsonBag("certificates", certificates)
	bag["version"] = "1"
	return bag
}

// ParseTrusted reads whom to trust, in PEM.
func ParseTrusted(bag map[string]string) []string { return fromJSON[[]string](bag["certificates"]) }

func isCertificateList(value string) error {
	list, err := decode[[]string](value)
	if err != nil {
		return fmt.Errorf("expected a JSON list of certificates in PEM: %w", err)
	}
	for i, certificate := range list {
		if err := isPEM(certificate, pemCertificate); err != nil {
			return fmt.Errorf("certificate %d: %w", i+1, err)
		}
	}
	return nil
}

func isVersionOne(value string) error {
	if value != "1" {
		return fmt.Errorf("%q: expected 1", value)
	}
	return nil
}

// jsonBag is a bag of one key. What it is given has no form that JSON lacks.
func jsonBag(key string, value any) map[string]string {
	b, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("interfaces: encode %s: %v", key, err))
	}
	return map[string]string{key: string(b)}
}

func decode[T any](value string) (v T, err error) {
	err = json.Unmarshal([]byte(value), &v)
	return v, err
}

// fromJSON is the zero value where there is nothing, or nothing that can be
// read.
func fromJSON[T any](value string) T {
	v, err := decode[T](value)
	if err != nil {
		var none T
		return none
	}
	return v
}
