package consensus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// memberSetup is how a test process becomes a member with a port for clients:
// what a controller is, with nothing but the log.
type memberSetup struct {
	Member Member
	Dir    string
	Serve  string   // host:port for clients
	Others []Member // that a founder adds; a founder is who has some
	PEM    string   // folder of the certificate
}

const memberEnv = "GANTRY_TEST_CONSENSUS_MEMBER"

// rawCodec passes bytes through, so that a client speaks to us as to etcd.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)   { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error { *v.(*[]byte) = b; return nil }
func (rawCodec) Name() string                    { return "proto" }
func loaded(folder string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, RootCAs: pool,
		Certificates: []tls.Certificate{pair},
	}, nil
}

// writeCertificate makes one certificate for everybody.
func writeCertificate(t testing.TB, folder string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// serveMember is a member until it is killed.
func serveMember(setup string) error {
	var s memberSetup
	if err := json.Unmarshal([]byte(setup), &s); err != nil {
		return err
	}
	secured, err := loaded(s.PEM)
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", s.Member.Address, secured)
	if err != nil {
		return err
	}
	dialler := tls.Dialer{Config: secured}
	n, err := Open(Config{
		ID: s.Member.ID, Dir: s.Dir, Join: len(s.Others) == 0, Address: s.Member.Address, Listener: l,
		Dial: func(ctx context.Context, a string) (net.Conn, error) { return dialler.DialContext(ctx, "tcp", a) },
	})
	if err != nil {
		return err
	}
	clients, err := net.Listen("tcp", s.Serve)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(context.Background())
	g.Go(func() error {
		return n.Run(ctx, func(ctx context.Context) error {
			for _, o := range s.Others {
				if err := n.AddMember(ctx, o); err != nil && ctx.Err() == nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
	})
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(secured)), grpc.ForceServerCodec(rawCodec{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "member", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{method("Put", n, put), method("Known", n, known)},
	}, n)
	g.Go(func() error { return server.Serve(clients) })
	return g.Wait()
}

// method is one of a service that takes bytes and answers with bytes.
func method(name string, n *Node, do func(context.Context, *Node, []byte) (any, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request []byte
		if err := decode(&request); err != nil {
			return nil, err
		}
		return do(ctx, n, request)
	}}
}

// known reads whether there is a value of a name.
func known(ctx context.Context, n *Node, name []byte) (any, error) {
	s, err := n.Read(ctx)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	answer := []byte("no")
	if _, ok := s.Model(model.ModelName(name)); ok {
		answer = []byte("yes")
	}
	return &answer, nil
}

// put commits a value under a name of its own.
func put(ctx context.Context, n *Node, value []byte) (any, error) {
	if !n.Leading() || len(n.Members()) < 3 {
		return nil, status.Error(codes.Unavailable, "it does not lead three")
	}
	name := string(value[:32])
	outcomes, err := n.Propose(ctx, state.Command{Origin: state.Agents, Author: "bench", Ops: []state.Op{
		state.AddModel{Model: model.ModelName(name), UUID: string(value)},
	}})
	if err == nil {
		err = outcomes[0].Err
	}
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return &[]byte{}, nil
}

// memberProcess is a running member that may be killed and started again.
type memberProcess struct {
	setup   memberSetup
	command *exec.Cmd
}

func (m *memberProcess) start(t testing.TB) {
	t.Helper()
	text, err := json.Marshal(m.setup)
	if err != nil {
		t.Fatal(err)
	}
	m.command = exec.Command(os.Args[0])
	m.command.Env = append(os.Environ(), memberEnv+"="+string(text))
	m.command.Stderr = os.Stderr
	if err := m.command.Start(); err != nil {
		t.Fatal(err)
	}
}

func (m *memberProcess) kill() {
	_ = m.command.Process.Kill()
	_ = m.command.Wait()
}

// threeProcesses are members as processes of their own.
func threeProcesses(t testing.TB, certificates string) (members []*memberProcess) {
	t.Helper()
	for i := range 3 {
		members = append(members, &memberProcess{setup: memberSetup{
			Member: Member{ID: fmt.Sprint("c", i+1), Address: freePort(t)}, Dir: t.TempDir(), Serve: freePort(t), PEM: certificates,
		}})
	}
	members[0].setup.Others = []Member{members[1].setup.Member, members[2].setup.Member}
	for _, m := range members {
		m.start(t)
		t.Cleanup(m.kill)
	}
	return members
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
