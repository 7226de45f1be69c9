package controller

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// token asks for a machine and returns what its agent is to join with.
func (w *world) token() string {
	w.t.Helper()
	must(w.admin.AddMachine(w.ctx, operator.AddMachine{Model: "m"}))(w.t)
	machines := must(w.admin.ListMachines(w.ctx, "m"))(w.t)
	uuid := machines[len(machines)-1].UUID
	h := must(client.DialHost(must(client.Load(w.ready.Host))(w.t)))(w.t)
	defer h.Close()
	found := errors.New("found")
	var token string
	err := h.Wanted(w.ctx, "fake", func(wanted provision.Wanted) error {
		for _, m := range wanted.Machines {
			if m.UUID == uuid && m.Token != "" {
				token = m.Token
				return found
			}
		}
		return nil
	})
	if !errors.Is(err, found) {
		w.t.Fatal(err)
	}
	return token
}

func raw(t *testing.T, address string, c client.Context) *grpc.ClientConn {
	t.Helper()
	pair := must(tls.X509KeyPair(c.Certificate, c.Key))(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CA)
	return rawTLS(t, address, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: client.ServerName})
}

func rawTLS(t *testing.T, address string, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	conn := must(grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config))))(t)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// call makes an almost empty request. A stream that goes on was admitted: it is
// cut off soon where that is what is expected.
func call(conn *grpc.ClientConn, m wire.Method, expectAdmitted bool) error {
	limit := patience
	if expectAdmitted && m.ServerStreaming {
		limit = 100 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	request := m.Request.New().Interface()
	if field := request.ProtoReflect().Descriptor().Fields().ByName("model"); field != nil {
		name := "m"
		if strings.HasSuffix(m.Name, "DestroyModel") {
			name = "spare"
		}
		request.ProtoReflect().Set(field, protoreflect.ValueOfString(name))
	}
	if !m.ClientStreaming && !m.ServerStreaming {
		return conn.Invoke(ctx, m.Name, request, &emptypb.Empty{})
	}
	return stream(ctx, conn, m, request)
}

func stream(ctx context.Context, conn *grpc.ClientConn, m wire.Method, request proto.Message) error {
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: m.ClientStreaming, ServerStreams: true}, m.Name)
	if err != nil {
		return err
	}
	if err := s.SendMsg(request); err != nil {
		return s.RecvMsg(&emptypb.Empty{})
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	return s.RecvMsg(&emptypb.Empty{})
}

// refusedAtGate tells a refusal of the caller from one of what was asked for.
func refusedAtGate(err error) bool {
	text := status.Convert(err).Message()
	for _, refusal := range []string{"this request is for", "no login with this certificate", "no access to model", "makes no requests"} {
		if err != nil && strings.Contains(text, refusal) {
			return true
		}
	}
	return false
}

func TestNobodyIsServedWithoutAValidCertificate(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	ours := must(pki.OpenAuthority(filepath.Join(w.dir, "pki"), time.Now()))(t)
	other := must(pki.OpenAuthority(t.TempDir(), time.Now()))(t)
	pair := func(a *pki.Authority, life time.Duration) []tls.Certificate {
		key, certificate, _, err := a.Issue(pki.User, "admin", time.Now(), life)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{must(tls.X509KeyPair(certificate, key))(t)}
	}
	for rule, config := range map[string]*tls.Config{
		"without a certificate":             {},
		"with one of another authority":     {Certificates: pair(other, 0)},
		"with an expired one":               {Certificates: pair(ours, -time.Minute)},
		"over TLS 1.2":                      {Certificates: pair(ours, 0), MaxVersion: tls.VersionTLS12},
		"trusting another server than ours": {Certificates: pair(ours, 0), RootCAs: other.Pool()},
	} {
		t.Run(rule, func(t *testing.T) {
			if config.RootCAs == nil {
				config.RootCAs = ours.Pool()
			}
			config.ServerName = client.ServerName
			conn := rawTLS(t, w.ready.Addresses[0], config)
			err := conn.Invoke(w.ctx, "/gantry.v1.Controller/Info", &emptypb.Empty{}, &emptypb.Empty{})
			if err == nil || refusedAtGate(err) {
				t.Errorf("the handshake succeeded: %v", err)
			}
		})
	}
}

func TestOneOfManyRivalsRedeemsAToken(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	token := w.token()
	won, lost := make(chan client.Context, 16), make(chan error, 16)
	var g errgroup.Group
	for range 16 {
		g.Go(func() error {
			c, err := client.Join(w.ctx, token)
			if err != nil {
				lost <- err
				return nil
			}
			won <- c
			return nil
		})
	}
	_ = g.Wait()
	if len(won) != 1 {
		t.Fatalf("%d of 16 rivals redeemed the token", len(won))
	}
	for range len(lost) {
		if err := <-lost; !errors.Is(err, model.ErrDenied) {
			t.Errorf("a rival was told %v, want denied", err)
		}
	}
}

func TestAnAgentReachesItsOwnUnitsAlone(t *testing.T) {
	w := begin(t, t.TempDir())
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "web"}))(t)
	relation := must(w.admin.Integrate(w.ctx, operator.Integrate{Model: "m", A: ref(t, "web"), B: ref(t, "db")}))(t).Relation
	w.converge("m")
	db, web := w.agentOf("m", "db/0"), w.agentOf("m", "web/0")
	dbUnit, webUnit := must(model.ParseUnitName("db/0"))(t), must(model.ParseUnitName("web/0"))(t)

	denied := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, model.ErrDenied) {
			t.Errorf("%s: %v, want denied", what, err)
		}
	}
	_, err := web.Publish(w.ctx, effect.Publication{Unit: dbUnit, Bags: []effect.Bag{{Relation: relation, Data: map[string]string{"x": "y"}}}})
	denied("publish for another's unit", err)

	secret := func(name string, grants ...model.RelationID) string {
		return must(db.PutSecret(w.ctx, effect.NewSecret{
			Unit: dbUnit, Name: name, Scope: effect.UnitScope, Fields: map[string][]byte{"password": []byte("hunter2")}, Grants: grants,
		}))(t)
	}
	private, granted := secret("private"), secret("granted", relation)
	opened := must(db.ReadSecrets(w.ctx, dbUnit, []effect.SecretAt{{ID: private}}))(t)
	if string(opened[0].Fields["password"]) != "hunter2" {
		t.Errorf("the owner reads %v", opened)
	}
	opened = must(web.ReadSecrets(w.ctx, webUnit, []effect.SecretAt{{ID: granted}}))(t)
	if string(opened[0].Fields["password"]) != "hunter2" {
		t.Errorf("the grantee reads %v", opened)
	}
	_, err = web.ReadSecrets(w.ctx, webUnit, []effect.SecretAt{{ID: private}})
	denied("read a secret that is not granted", err)
	_, err = web.ReadSecrets(w.ctx, dbUnit, []effect.SecretAt{{ID: private}})
	denied("read as another's unit", err)
	_, err = web.OpenClaim(w.ctx, effect.Claim{Unit: dbUnit, Task: "t", Key: "k", Token: 1, Deadline: time.Minute})
	denied("claim for another's unit", err)
	denied("fetch a charm that no unit here runs", web.FetchCharm(w.ctx, "h-db", nil))
	if again := secret("private"); again != private {
		t.Errorf("a second commit of a secret made %s, the first %s", again, private)
	}
}

func TestAnAdministratorShutsDown(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	if err := w.admin.Shutdown(w.ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.end(); err != nil {
		t.Errorf("the controller ended with %v", err)
	}
}
