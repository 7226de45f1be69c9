//go:build dqlite && cgo

package history_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// mesh is a network of members over mutual TLS on loopback.
type mesh struct {
	tls *tls.Config
	mu  sync.Mutex
	at  map[string]string // addresses by name; moved members are found anew
	cut map[string]bool   // whom nobody reaches, and who reaches nobody
	all map[string][]net.Conn
	log *slog.Logger // of the members; may be nil
}

// dial connects two members, unless one of them is cut off.
func (m *mesh) dial(ctx context.Context, from, to string) (net.Conn, error) {
	m.mu.Lock()
	address, cut := m.at[to], m.cut[from] || m.cut[to]
	m.mu.Unlock()
	if cut {
		return nil, fmt.Errorf("%s does not reach %s", from, to)
	}
	d := tls.Dialer{Config: m.tls}
	c, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		m.mu.Lock()
		m.all[from], m.all[to] = append(m.all[from], c), append(m.all[to], c)
		m.mu.Unlock()
	}
	return c, err
}

// isolate cuts a member off, and lets it in again.
func (m *mesh) isolate(name string, cut bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cut[name] = cut
	for _, c := range m.all[name] {
		_ = c.Close()
	}
	m.all[name] = nil
}

func newMesh(t testing.TB) *mesh {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "members"}, DNSNames: []string{"member"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &mesh{at: map[string]string{}, cut: map[string]bool{}, all: map[string][]net.Conn{}, tls: &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, RootCAs: roots, ServerName: "member",
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}}
}

// join runs a member of the mesh.
func (m *mesh) join(t testing.TB, dir, name string, others ...string) (h *history.History, stop func()) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", m.tls)
	if err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.at[name] = l.Addr().String()
	m.mu.Unlock()
	return start(t, history.Config{Dir: dir, Log: m.log, Cluster: &history.Cluster{
		Self: name, Join: others, Listener: l,
		Dial: func(ctx context.Context, member string) (net.Conn, error) { return m.dial(ctx, name, member) },
	}})
}

// count is how many events a member reads, -1 while it cannot.
func count(h *history.History) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	events, err := h.Events(ctx, operator.HistoryQuery{Model: "m", Limit: 20000})
	if err != nil {
		return -1
	}
	return len(events)
}

// follow makes the members those named, from where one of them stands.
func follow(t testing.TB, h *history.History, names ...string) {
	t.Helper()
	var err error
	eventually(t, "the members are followed", func() bool {
		err = h.Follow(context.Background(), names)
		return err == nil
	})
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func TestWhatOneMemberWroteTheOthersHave(t *testing.T) {
	m := newMesh(t)
	a, _ := m.join(t, t.TempDir(), "a")
	put(t, a, event(1, "unit/pg/0"))
	b, _ := m.join(t, t.TempDir(), "b", "a")
	c, _ := m.join(t, t.TempDir(), "c", "a")
	put(t, b, event(2, "unit/pg/0"))
	put(t, c, event(3, "unit/pg/0"))
	follow(t, c, "a", "b", "c")
	for name, h := range map[string]*history.History{"a": a, "b": b, "c": c} {
		if got := count(h); got != 3 {
			t.Errorf("%s has %d events, want 3", name, got)
		}
	}
}

// says collects what members log.
type says struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *says) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func TestThatAnotherMemberIsWritingIsNoTrouble(t *testing.T) {
	m, said := newMesh(t), &says{}
	a, _ := m.join(t, t.TempDir(), "a")
	put(t, a, event(1))
	b, _ := m.join(t, t.TempDir(), "b", "a")
	put(t, b, event(2))
	follow(t, a, "a", "b")
	m.log = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, _ := m.join(t, t.TempDir(), "c", "a")
	put(t, c, event(3))
	said.text.Reset() // until it is open it may lag

	const n = 60
	var g errgroup.Group
	for name, h := range map[string]*history.History{"a": a, "b": b, "c": c} {
		g.Go(func() error {
			for i := range uint64(n) {
				h.Offer(history.Audit{Source: history.Source{ID: name, N: i}, At: epoch, Who: name})
				if err := h.Flushed(t.Context()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	set, err := a.Query(t.Context(), operator.Statement{SQL: "SELECT count(*) FROM audit"})
	if got := fmt.Sprint(set.Rows); err != nil || got != fmt.Sprintf("[[%d]]", 3*n) {
		t.Errorf("%s rows of audit, %v; want %d", got, err, 3*n)
	}
	said.mu.Lock()
	defer said.mu.Unlock()
	if said.text.Len() > 0 {
		t.Errorf("a member says %s", said.text.String())
	}
}

func TestWritesResumeOnceTheLeaderIsGoneAndNothingIsDoubled(t *testing.T) {
	m := newMesh(t)
	dirA := t.TempDir()
	_, stopA := m.join(t, dirA, "a")
	b, _ := m.join(t, t.TempDir(), "b", "a")
	put(t, b, event(1, "unit/pg/0"))
	c, _ := m.join(t, t.TempDir(), "c", "a")
	put(t, c, event(2, "unit/pg/0"))
	follow(t, c, "a", "b", "c")

	// b goes on writing while a, who founded and leads, is stopped.
	const n = 2000
	stopped := make(chan time.Time, 1)
	for i := uint64(3); i <= n; i++ {
		if i == n/2 {
			go func() { stopA(); stopped <- time.Now() }()
		}
		if err := b.Put(t.Context(), event(i, "unit/pg/0"), history.Cursor{Name: "events", Index: i}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.Flushed(ctx); err != nil {
		t.Fatalf("flush: %v; %+v", err, b.Health())
	}
	t.Logf("figure: all written %v after the leader was gone", time.Since(<-stopped).Round(time.Millisecond))
	for name, h := range map[string]*history.History{"b": b, "c": c} {
		eventually(t, name+" reads", func() bool { return count(h) >= 0 })
		if got := count(h); got != n {
			t.Errorf("%s has %d events, want %d", name, got, n)
		}
	}

	// It comes back at another address, and catches up.
	a, _ := m.join(t, dirA, "a")
	eventually(t, "a reads", func() bool { return count(a) == n })
	put(t, a, event(n+1, "unit/pg/0"))
	if got := count(b); got != n+1 {
		t.Errorf("b has %d events, want %d", got, n+1)
	}
}

func TestWritesResumeWhileTheLeaderIsCutOff(t *testing.T) {
	m := newMesh(t)
	a, _ := m.join(t, t.TempDir(), "a")
	b, _ := m.join(t, t.TempDir(), "b", "a")
	put(t, b, event(1))
	c, _ := m.join(t, t.TempDir(), "c", "a")
	put(t, c, event(2))
	follow(t, c, "a", "b", "c")

	m.isolate("a", true)
	cut := time.Now()
	for i := uint64(3); i <= 500; i++ {
		if err := errors.Join(a.Put(t.Context(), event(i)), b.Put(t.Context(), event(i))); err != nil {
			t.Fatal(err) // both write the same, as an old and a new leader of the model do
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.Flushed(ctx); err != nil {
		t.Fatalf("flush: %v; %+v", err, b.Health())
	}
	t.Logf("figure: all written %v after the leader was cut off", time.Since(cut).Round(time.Millisecond))
	m.isolate("a", false)
	if err := a.Flushed(ctx); err != nil {
		t.Fatalf("flush once it is back: %v; %+v", err, a.Health())
	}
	for name, h := range map[string]*history.History{"a": a, "b": b, "c": c} {
		eventually(t, name+" reads", func() bool { return count(h) >= 0 })
		if got := count(h); got != 500 {
			t.Errorf("%s has %d events, want 500", name, got)
		}
	}
}

func TestAMemberLeavesAndAnotherTakesItsPlace(t *testing.T) {
	m := newMesh(t)
	a, _ := m.join(t, t.TempDir(), "a")
	b, _ := m.join(t, t.TempDir(), "b", "a")
	put(t, b, event(1))
	c, stopC := m.join(t, t.TempDir(), "c", "a")
	put(t, c, event(2))
	follow(t, a, "a", "b", "c")
	stopC()
	follow(t, a, "a", "b")
	d, stopD := m.join(t, t.TempDir(), "d", "a", "b")
	put(t, d, event(3))
	follow(t, a, "a", "b", "d")
	stopD()
	// With its disk lost, d joins as a stranger by its old name.
	again, _ := m.join(t, t.TempDir(), "d", "a", "b")
	put(t, again, event(4))
	for name, h := range map[string]*history.History{"a": a, "b": b, "d": again} {
		if got := count(h); got != 4 {
			t.Errorf("%s has %d events, want 4", name, got)
		}
	}
}

func TestWithoutAMajorityRowsWait(t *testing.T) {
	m := newMesh(t)
	a, _ := m.join(t, t.TempDir(), "a")
	put(t, a, event(1))
	dirB := t.TempDir()
	b, stopB := m.join(t, dirB, "b", "a")
	put(t, b, event(2))
	follow(t, a, "a", "b")
	stopB()
	if err := a.Put(t.Context(), event(3)); err != nil {
		t.Fatalf("offering without a majority = %v", err)
	}
	eventually(t, "it says that it lags", func() bool { h := a.Health(); return h.Trouble != nil && h.Waiting > 0 })
	_, _ = m.join(t, dirB, "b", "a")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := a.Flushed(ctx); err != nil {
		t.Fatalf("flush: %v; %+v", err, a.Health())
	}
	if got := count(a); got != 3 {
		t.Errorf("a has %d events, want 3", got)
	}
}

func BenchmarkThreeMembersWrite(b *testing.B) {
	m := newMesh(b)
	a, _ := m.join(b, b.TempDir(), "a")
	for _, name := range []string{"b", "c"} {
		h, _ := m.join(b, b.TempDir(), name, "a")
		put(b, h, event(1))
	}
	follow(b, a, "a", "b", "c")
	i, began := uint64(1), time.Now()
	for b.Loop() {
		i++
		if err := a.Put(context.Background(), event(i, fmt.Sprintf("unit/pg/%d", i%7))); err != nil {
			b.Fatal(err)
		}
	}
	put(b, a, event(i+1))
	b.ReportMetric(float64(i)/time.Since(began).Seconds(), "events/s")
}
