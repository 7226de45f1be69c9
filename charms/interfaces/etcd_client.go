package interfaces

import (
	"fmt"
	"strings"
)

// EtcdClient is the interface of a part of an etcd's keys and who uses it.
const EtcdClient = "etcd_client"

var etcdClient = Schema{
	Interface: EtcdClient, Version: 1,
	Provider: Side{Application: []Key{
		{Name: "endpoints", Required: true, Doc: "its members, HOST:PORT separated by commas", Check: isEndpoints},
		{Name: "version", Doc: "the server's"},
		{Name: "secret-user", Doc: "the secret with username and password", Check: isSecret},
		{Name: "secret-tls", Doc: "the secret with tls and tls-ca", Check: isSecret},
	}},
	Requirer: Side{Application: []Key{
		{Name: "prefix", Required: true, Doc: "how its keys begin", Check: isPrefix},
		{Name: "secret-mtls", Doc: "the secret with its own certificate", Check: isSecret},
		{Name: "requested-secrets", Doc: "which secrets it can read, as a JSON list", Check: isJSONList},
	}},
}

// EtcdRequest is what a requirer of etcd_client asks for.
type EtcdRequest struct {
	Prefix      string // of its keys; begins and ends with a slash
	Certificate string // ID of the secret with its own certificate, or ""
}

// Bag is the request as the requirer's application writes it.
func (r EtcdRequest) Bag() map[string]string {
	return said(map[string]string{
		"prefix": r.Prefix, "secret-mtls": r.Certificate, "requested-secrets": `["username","password","tls","tls-ca"]`,
	})
}

// ParseEtcdRequest reads a requirer's application bag; false where it asks for
// nothing yet.
func ParseEtcdRequest(bag map[string]string) (EtcdRequest, bool) {
	r := EtcdRequest{Prefix: bag["prefix"], Certificate: bag["secret-mtls"]}
	return r, r.Prefix != ""
}

// EtcdKeys is what a provider of etcd_client offers.
type EtcdKeys struct {
	Endpoints []string // HOST:PORT of its members
	Version   string
	User      string // ID of the secret with username and password, or ""
	TLS       string // ID of the secret with tls and tls-ca, or ""
}

// Bag is the offer as the provider's application writes it.
func (k EtcdKeys) Bag() map[string]string {
	return said(map[string]string{"endpoints": strings.Join(k.Endpoints, ","), "version": k.Version, "secret-user": k.User, "secret-tls": k.TLS})
}

// ParseEtcdKeys reads a provider's application bag; false where it is not
// ready to be used yet.
func ParseEtcdKeys(bag map[string]string) (EtcdKeys, bool) {
	k := EtcdKeys{Endpoints: split(bag["endpoints"]), Version: bag["version"], User: bag["secret-user"], TLS: bag["secret-tls"]}
	return k, len(k.Endpoints) > 0
}

func isPrefix(value string) error {
	if !strings.HasPrefix(value, "/") || !strings.HasSuffix(value, "/") || len(value) < 3 {
		return fmt.Errorf("%q: expected a prefix of keys between slashes, such as /patroni/", value)
	}
	return nil
}
