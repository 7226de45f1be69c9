package interfaces_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
)

// pair is a request and a certificate, in PEM.
func pair(t *testing.T) (csr, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<31, 0)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	in := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return in("CERTIFICATE REQUEST", request), in("CERTIFICATE", signed), in("PRIVATE KEY", der)
}

func TestBagsAreCheckedKeyByKey(t *testing.T) {
	csr, certificate, key := pair(t)
	issued := interfaces.IssuedCertificate{CA: certificate, Chain: []string{certificate}, CSR: csr, Certificate: certificate}
	confused := issued
	confused.Certificate = key
	type bag = interfaces.Bag
	for _, tt := range []struct {
		name string
		bag  bag
		want string // part of the error, or "" for a valid bag
	}{
		{"a request of a unit", bag{interfaces.TLSCertificates, false, false, interfaces.CertificateRequestsBag([]interfaces.CertificateRequest{{CSR: csr}})}, ""},
		{"a request is no certificate", bag{interfaces.TLSCertificates, false, false, interfaces.CertificateRequestsBag([]interfaces.CertificateRequest{{CSR: certificate}})}, "request 1: expected a CERTIFICATE REQUEST in PEM, not a CERTIFICATE"},
		{"what was signed", bag{interfaces.TLSCertificates, true, true, interfaces.IssuedCertificatesBag([]interfaces.IssuedCertificate{issued})}, ""},
		{"a private key is no certificate", bag{interfaces.TLSCertificates, true, true, interfaces.IssuedCertificatesBag([]interfaces.IssuedCertificate{confused})}, "not a PRIVATE KEY"},
		{"one block at a time", bag{interfaces.CertificateTransfer, true, true, interfaces.TrustedBag([]string{certificate + certificate})}, "certificate 1: expected one CERTIFICATE"},
		{"whom to trust", bag{interfaces.CertificateTransfer, true, true, interfaces.TrustedBag([]string{certificate})}, ""},
		{"the only version", bag{interfaces.CertificateTransfer, false, true, map[string]string{"version": "2"}}, "expected 1"},
		{"a topic", bag{interfaces.KafkaClient, false, true, interfaces.KafkaRequest{Topic: "telemetry", Roles: []interfaces.KafkaRole{"producer", "consumer"}}.Bag()}, ""},
		{"no path is a topic", bag{interfaces.KafkaClient, false, true, map[string]string{"topic": "a/b"}}, "expected a topic"},
		{"a role that is not known", bag{interfaces.KafkaClient, false, true, map[string]string{"topic": "a", "extra-user-roles": "producer,owner"}}, `"owner": expected admin, producer or consumer`},
		{"a prefix between slashes", bag{interfaces.EtcdClient, false, true, interfaces.EtcdRequest{Prefix: "/patroni/"}.Bag()}, ""},
		{"the root is everybody's", bag{interfaces.EtcdClient, false, true, map[string]string{"prefix": "/"}}, "expected a prefix"},
		{"a store's URL", bag{interfaces.S3, true, true, map[string]string{"bucket": "b", "endpoint": "s3.example", "secret-extra": handle}}, "expected the URL of a store"},
		{"an account", bag{interfaces.SparkServiceAccount, true, true, interfaces.SparkAccount{Account: "spark", Properties: handle}.Bag()}, ""},
		{"an answer of the broker names its unit", bag{interfaces.CephClient, true, false, map[string]string{"key": "k", "auth": "cephx", "ceph-public-address": "10.0.0.1", "broker-rsp-app-0": `{"exit-code":0}`}}, ""},
		{"a key that no pattern takes", bag{interfaces.CephClient, true, false, map[string]string{"key": "k", "auth": "cephx", "ceph-public-address": "10.0.0.1", "broker": ""}}, `unknown key "broker"`},
		{"a request to the broker is framed", bag{interfaces.CephClient, false, false, map[string]string{"broker_req": `{"api-version":1,"ops":[]}`}}, "expected {"},
		{"an op has a name", bag{interfaces.CephClient, false, false, map[string]string{"broker_req": `{"api-version":1,"request-id":"a","ops":[{}]}`}}, "op 1: expected its name"},
		{"a metadata server's key under its own name", bag{interfaces.CephMDS, true, false, map[string]string{"fsid": "f", "a_mds_key": "k", "auth": "cephx", "ceph-public-address": "10.0.0.1"}}, ""},
		{"OSDs are counted", bag{interfaces.CephOSD, false, false, map[string]string{"bootstrapped-osds": "-1"}}, "expected a whole number"},
		{"API servers are a list", bag{interfaces.KubeControl, true, false, map[string]string{"api-endpoints": "https://10.0.0.1:6443"}}, "expected a JSON list"},
		{"an agent's config is an object", bag{interfaces.COSAgent, true, false, map[string]string{"config": "[]"}}, "JSON object"},
		{"dashboards are JSON", bag{interfaces.GrafanaDashboard, true, true, map[string]string{"dashboards": "{"}}, "expected JSON"},
		{"where alerts go is a URL", bag{interfaces.AlertmanagerDispatch, true, false, map[string]string{"url": "10.0.0.1:9093"}}, "expected the URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := interfaces.Validate(tt.bag)
			switch {
			case tt.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Fatalf("got %v, wanted %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), key):
				t.Fatalf("the message repeats a private key: %v", err)
			}
		})
	}
}

func TestEveryTypedBagReadsBack(t *testing.T) {
	csr, certificate, _ := pair(t)
	same := func(name string, want, got any, ready bool) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" || !ready {
			t.Errorf("%s: ready %v, %s", name, ready, diff)
		}
	}
	requests := []interfaces.CertificateRequest{{CSR: csr, CA: true}}
	same("requests", requests, interfaces.ParseCertificateRequests(interfaces.CertificateRequestsBag(requests)), true)
	issued := interfaces.IssuedCertificate{CA: certificate, Chain: []string{certificate}, CSR: csr, Certificate: certificate}
	signed, ok := interfaces.ParseIssuedCertificate(interfaces.IssuedCertificatesBag([]interfaces.IssuedCertificate{issued}), csr)
	same("issued", issued, signed, ok)
	same("trusted", []string{certificate}, interfaces.ParseTrusted(interfaces.TrustedBag([]string{certificate})), true)

	asked := interfaces.KafkaRequest{Topic: "t", Roles: []interfaces.KafkaRole{interfaces.KafkaAdmin}, GroupPrefix: "g-", Certificate: handle}
	kafka, ok := interfaces.ParseKafkaRequest(asked.Bag())
	same("kafka request", asked, kafka, ok)
	topic := interfaces.KafkaTopic{Topic: "t", Endpoints: []string{"h:9092"}, User: handle, TLS: handle, GroupPrefix: "g-"}
	offered, ok := interfaces.ParseKafkaTopic(topic.Bag())
	same("kafka topic", topic, offered, ok)

	prefix := interfaces.EtcdRequest{Prefix: "/a/", Certificate: handle}
	etcd, ok := interfaces.ParseEtcdRequest(prefix.Bag())
	same("etcd request", prefix, etcd, ok)
	keys := interfaces.EtcdKeys{Endpoints: []string{"h:2379"}, Version: "3.4.23", User: handle, TLS: handle}
	members, ok := interfaces.ParseEtcdKeys(keys.Bag())
	same("etcd keys", keys, members, ok)

	bucket := interfaces.S3Bucket{Bucket: "b", Endpoint: "https://s:1", Region: "r", Path: "/p", Credentials: handle, CAChain: []string{certificate}}
	s3, ok := interfaces.ParseS3Bucket(bucket.Bag())
	same("bucket", bucket, s3, ok)
	account := interfaces.SparkAccount{Account: "a", Properties: handle}
	spark, ok := interfaces.ParseSparkAccount(account.Bag())
	same("spark account", account, spark, ok)
	submit, ok := interfaces.ParseSparkRequest(interfaces.SparkRequest{Account: "a"}.Bag())
	same("spark request", interfaces.SparkRequest{Account: "a"}, submit, ok)
}

func TestARevokedCertificateIsNoAnswer(t *testing.T) {
	csr, certificate, _ := pair(t)
	bag := interfaces.IssuedCertificatesBag([]interfaces.IssuedCertificate{{CA: certificate, CSR: csr, Certificate: certificate, Revoked: true}})
	if _, ok := interfaces.ParseIssuedCertificate(bag, csr); ok {
		t.Fatal("a certificate that was revoked is handed on")
	}
}
