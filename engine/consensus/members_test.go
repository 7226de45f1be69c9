package consensus

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/model"
)

// memberTLS is mutual TLS under one self-signed certificate.
func memberTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"member"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, RootCAs: pool, ServerName: "member",
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestThreeMembersAgreeAndOutliveTheirLeader(t *testing.T) {
	config := memberTLS(t)
	var members []Member
	for _, id := range []string{"c1", "c2", "c3"} {
		members = append(members, Member{ID: id, Address: freeAddress(t)})
	}
	nodes := map[*Node]running{}
	for _, m := range members {
		n, err := Open(Config{ID: m.ID, Dir: t.TempDir(), Members: members, Bind: m.Address, TLS: config})
		if err != nil {
			t.Fatal(err)
		}
		nodes[n] = run(t, n)
	}
	leader := anyLeader(t, nodes)
	propose(t, leader, addModel("", "a"))
	if err := nodes[leader].end(); err != nil {
		t.Fatal(err)
	}
	delete(nodes, leader)
	next := anyLeader(t, nodes)
	propose(t, next, addModel("", "b"))
	want := next.State()
	for _, name := range []string{"a", "b"} {
		if _, ok := want.Model(model.ModelName(name)); !ok {
			t.Errorf("the new leader does not know %s", name)
		}
	}
	for n := range nodes {
		for n.State().Index() < want.Index() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			_, _, err := n.Changes(ctx, n.State().Index())
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(encoded(t, n.State()), encoded(t, want)) {
			t.Error("two members encode to different bytes")
		}
	}
}

// anyLeader waits until one of the nodes leads.
func anyLeader(t *testing.T, nodes map[*Node]running) *Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	found := make(chan *Node, len(nodes))
	var g errgroup.Group
	for n := range nodes {
		g.Go(func() error {
			if n.Led(ctx) == nil {
				found <- n
			}
			return nil
		})
	}
	select {
	case n := <-found:
		return n
	case <-ctx.Done():
		t.Fatal("nobody leads")
		return nil
	}
}

func TestMembersWithoutMutualTLSDoNotStart(t *testing.T) {
	for _, config := range []*tls.Config{nil, {}, {MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert}} {
		_, err := Open(Config{ID: "c1", Dir: t.TempDir(), Members: []Member{{ID: "c1"}}, Bind: "127.0.0.1:0", TLS: config})
		if err == nil {
			t.Errorf("it started with %+v", config)
		}
	}
}
