package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/pgtest"
	"github.com/gantry-orchestrator/gantry/model"
)

// silent is an observer that only counts its sessions.
type silent struct{ sessions atomic.Int64 }

func (*silent) Recorded(ledger.Event)   {}
func (*silent) Committed(time.Duration) {}
func (s *silent) Connected(n int)       { s.sessions.Add(int64(n)) }

// link is a connection through a proxy. While it is mute, what the server
// answers is dropped.
type link struct {
	client, server net.Conn
	mute           atomic.Bool
}

// Write passes on what the server answers.
func (l *link) Write(answer []byte) (int, error) {
	if l.mute.Load() {
		return len(answer), nil
	}
	return l.client.Write(answer)
}

func (l *link) close() { _, _ = l.client.Close(), l.server.Close() }

// proxy forwards connections to a server and can lose one of them around the
// next message that holds an insert of a packet.
type proxy struct {
	net.Listener
	server  string
	onWrite atomic.Pointer[func(c *link, message []byte)]
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: listener, server: server}
	t.Cleanup(func() { _ = listener.Close() })
	go p.serve()
	return p
}

func (p *proxy) serve() {
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		l := &link{client: client, server: server}
		go func() { _, _ = io.Copy(l, server); l.close() }()
		go p.forward(l)
	}
}

func (p *proxy) forward(l *link) {
	defer l.close()
	buffer := make([]byte, 1<<16)
	for {
		n, err := l.client.Read(buffer)
		if err != nil {
			return
		}
		message := buffer[:n]
		fault := p.onWrite.Load()
		if fault != nil && bytes.Contains(message, []byte("INSERT INTO telemetry_packet")) && p.onWrite.CompareAndSwap(fault, nil) {
			(*fault)(l, message)
			return
		}
		if _, err := l.server.Write(message); err != nil {
			return
		}
	}
}

// loseBefore drops the next insert on its way to the server.
func (p *proxy) loseBefore() {
	fault := func(*link, []byte) {}
	p.onWrite.Store(&fault)
}

// loseAfter lets the next insert take effect and drops its acknowledgement.
func (p *proxy) loseAfter(t *testing.T, committed func() bool) {
	fault := func(l *link, message []byte) {
		l.mute.Store(true)
		if _, err := l.server.Write(message); err != nil {
			t.Error(err)
		}
		await(t, "the insert to take effect", committed)
	}
	p.onWrite.Store(&fault)
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-poll.C {
		if time.Now().After(deadline) {
			t.Errorf("waited too long for %s", what)
			return
		}
	}
}

func target(endpoint string) Target {
	return Target{Endpoints: []string{endpoint}, User: pgtest.User, Password: pgtest.Password, Database: pgtest.Database}
}

func packetOf(serial uint64) Packet {
	return Packet{
		ID: ledger.NewID(7, serial), Spacecraft: 1, APID: 100, Count: uint16(serial),
		Generated: time.Now(), Octets: []byte{0x08, 0x64, byte(serial)},
	}
}

// bench is a writer with its ledger.
type bench struct {
	*Writer
	catalog  *Catalog
	path     string
	open     []ledger.Record
	observer *silent
}

func newBench(t *testing.T, path string, to Target) bench {
	t.Helper()
	book, history, err := ledger.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	observer := &silent{}
	config := Config{
		Ledger: book, Source: "telemetry/0", Workers: 1, Timeout: 5 * time.Second,
		Clock: time.Now, Observer: observer, Log: slog.New(slog.DiscardHandler),
	}
	return bench{Writer: NewWriter(config, to), catalog: NewCatalog(config.Source, config.Timeout, to), path: path, open: history.Open, observer: observer}
}

// deliver runs the writer over packets, at most until ctx ends.
func (b bench) deliver(ctx context.Context, t *testing.T, packets ...Packet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	queue := make(chan Packet, len(packets))
	for _, p := range packets {
		queue <- p
	}
	close(queue)
	if err := b.Run(ctx, queue, b.open); err != nil {
		t.Fatal(err)
	}
	if n := b.observer.sessions.Load(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// eventsOf returns what the ledger records of packet serial.
func (b bench) eventsOf(t *testing.T, serial uint64) (events []ledger.Event) {
	t.Helper()
	file, err := os.Open(b.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for r, err := range ledger.NewReader(file).Records() {
		if err != nil {
			t.Fatal(err)
		}
		if r.ID == ledger.NewID(7, serial) {
			events = append(events, r.Event)
		}
	}
	return events
}

// rows returns how often the archive holds packet serial.
func rows(t *testing.T, server *pgtest.Server, serial uint64) (n int) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server.DSN(pgtest.Database))
	if err != nil {
		t.Error(err)
		return 0
	}
	defer func() { _ = conn.Close(ctx) }()
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM telemetry_packet WHERE id = $1", ledger.NewID(7, serial).String()).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

func TestWriter(t *testing.T) {
	server := pgtest.New(t)
	// Each test has packets of its own; the archive is the same.
	check := func(t *testing.T, b bench, serial uint64, want ...ledger.Event) {
		t.Helper()
		if diff := cmp.Diff(want, b.eventsOf(t, serial)); diff != "" {
			t.Errorf("events of packet %d (-want +got):\n%s", serial, diff)
		}
	}
	path := func(t *testing.T) string { return filepath.Join(t.TempDir(), "ledger") }

	t.Run("a packet that is committed is acknowledged, and archived once", func(t *testing.T) {
		b := newBench(t, path(t), target(server.Endpoint))
		b.deliver(t.Context(), t, packetOf(1), packetOf(2))
		check(t, b, 1, ledger.Sent, ledger.Acked)
		if n, err := b.catalog.CountRows(t.Context()); err != nil || n != 2 || rows(t, server, 1) != 1 {
			t.Errorf("%d rows with error %v, want 2", n, err)
		}
	})
	t.Run("an insert whose acknowledgement is lost is unknown, and found", func(t *testing.T) {
		p := newProxy(t, server.Endpoint)
		b := newBench(t, path(t), target(p.Addr().String()))
		p.loseAfter(t, func() bool { return rows(t, server, 11) == 1 })
		b.deliver(t.Context(), t, packetOf(11))
		check(t, b, 11, ledger.Sent, ledger.Unknown, ledger.Found)
		if n := rows(t, server, 11); n != 1 {
			t.Errorf("archived %d times", n)
		}
	})
	t.Run("an insert that is lost itself is unknown, absent, and sent again", func(t *testing.T) {
		p := newProxy(t, server.Endpoint)
		b := newBench(t, path(t), target(p.Addr().String()))
		p.loseBefore()
		b.deliver(t.Context(), t, packetOf(21))
		check(t, b, 21, ledger.Sent, ledger.Unknown, ledger.Absent, ledger.Resent)
		if n := rows(t, server, 21); n != 1 {
			t.Errorf("archived %d times", n)
		}
	})
	t.Run("an insert that arrives after its packet was sent again changes nothing", func(t *testing.T) {
		b := newBench(t, path(t), target(server.Endpoint))
		b.deliver(t.Context(), t, packetOf(31))
		conn, err := connect(t.Context(), target(server.Endpoint), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer hangUp(conn)
		if err := insert(t.Context(), conn, "telemetry/0", packetOf(31)); !errors.Is(err, model.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
		if n := rows(t, server, 31); n != 1 {
			t.Errorf("archived %d times", n)
		}
	})
	t.Run("a look-up waits for an insert that is still running", func(t *testing.T) {
		testLookUpWaits(t, server)
	})
	t.Run("an insert that the server refuses is not unknown", func(t *testing.T) {
		b := newBench(t, path(t), target(server.Endpoint))
		server.Exec(t, "ALTER TABLE telemetry_packet ADD CONSTRAINT shut CHECK (sequence_count <> 41) NOT VALID")
		ctx, cancel := context.WithCancel(t.Context())
		b.aim.move(Target{}) // nothing is sent before the test is ready
		queue := make(chan Packet, 1)
		queue <- packetOf(41)
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx, queue, nil) }()
		b.Retarget(target(server.Endpoint))
		await(t, "the packet to be sent", func() bool { return len(b.eventsOf(t, 41)) == 1 })
		server.Exec(t, "ALTER TABLE telemetry_packet DROP CONSTRAINT shut")
		await(t, "the packet to be archived", func() bool { return len(b.eventsOf(t, 41)) == 2 })
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		check(t, b, 41, ledger.Sent, ledger.Acked)
	})
	t.Run("what a run left open is looked up by the next", func(t *testing.T) {
		name := path(t)
		first := newBench(t, name, target(server.Endpoint))
		for _, serial := range []uint64{51, 52} {
			if err := first.config.Ledger.Append(ledger.Record{Event: ledger.Sent, At: time.Now(), ID: packetOf(serial).ID}); err != nil {
				t.Fatal(err)
			}
		}
		if err := first.config.Ledger.Close(); err != nil {
			t.Fatal(err)
		}
		newBench(t, path(t), target(server.Endpoint)).deliver(t.Context(), t, packetOf(51))
		next := newBench(t, name, target(server.Endpoint))
		next.deliver(t.Context(), t)
		check(t, next, 51, ledger.Sent, ledger.Unknown, ledger.Found)
		check(t, next, 52, ledger.Sent, ledger.Unknown, ledger.Absent, ledger.Dropped)
	})
	t.Run("an endpoint that does not answer leaves time for the next", func(t *testing.T) {
		mute, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = mute.Close() }()
		to := target(mute.Addr().String())
		to.Endpoints = append(to.Endpoints, server.Endpoint)
		b := newBench(t, path(t), to)
		b.config.Timeout = 3 * time.Second
		b.deliver(t.Context(), t, packetOf(81))
		check(t, b, 81, ledger.Sent, ledger.Acked)
	})
	t.Run("without a server nothing is recorded, and Run ends with its context", func(t *testing.T) {
		p := newProxy(t, server.Endpoint)
		_ = p.Close()
		b := newBench(t, path(t), target(p.Addr().String()))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		b.deliver(ctx, t, packetOf(61))
		check(t, b, 61)
	})
}

// testLookUpWaits leaves an insert uncommitted, as a lost connection may, and
// commits it once the look-up of the same packet stands in its way.
func testLookUpWaits(t *testing.T, server *pgtest.Server) {
	ctx := t.Context()
	var conns [2]*pgx.Conn
	for i := range conns {
		conn, err := connect(ctx, target(server.Endpoint), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer hangUp(conn)
		conns[i] = conn
	}
	p := packetOf(71)
	tx, err := conns[0].Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, lockKey, packetKey(p.ID)); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(ctx, insertRow, rowOf("telemetry/0", p)...); err != nil {
		t.Fatal(err)
	}
	result := make(chan bool, 1)
	go func() {
		found, err := lookUp(ctx, conns[1], p.ID, func(pgx.Tx) error { return nil })
		if err != nil {
			t.Error(err)
		}
		result <- found
	}()
	await(t, "the look-up to wait", func() bool {
		var waiting bool
		if err := tx.QueryRow(ctx, "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting); err != nil {
			t.Error(err)
		}
		return waiting
	})
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	if !<-result {
		t.Error("the look-up says absent of what was about to be committed")
	}
}

func TestRetargetMovesTheSessionsAndLosesNothing(t *testing.T) {
	server := pgtest.New(t)
	server.Exec(t, "CREATE DATABASE other")
	other := target(server.Endpoint)
	other.Database = "other"
	b := newBench(t, filepath.Join(t.TempDir(), "ledger"), target(server.Endpoint))
	queue := make(chan Packet)
	done := make(chan error, 1)
	go func() { done <- b.Run(t.Context(), queue, nil) }()
	queue <- packetOf(1)
	await(t, "the first packet", func() bool { return len(b.eventsOf(t, 1)) == 2 })
	b.Retarget(other)
	b.catalog.Retarget(other)
	queue <- packetOf(2)
	close(queue)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ledger.Event{ledger.Sent, ledger.Acked}, b.eventsOf(t, 2)); diff != "" {
		t.Errorf("events of the second packet (-want +got):\n%s", diff)
	}
	if n, err := b.catalog.CountRows(t.Context()); err != nil || n != 1 {
		t.Errorf("the new target has %d rows with error %v, want 1", n, err)
	}
	if rows(t, server, 1) != 1 || rows(t, server, 2) != 0 {
		t.Error("the former target does not have just the first packet")
	}
}

func TestBackOffDoublesUpToASecond(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		1: 25 * time.Millisecond, 2: 50 * time.Millisecond, 4: 200 * time.Millisecond, 7: time.Second, 1000: time.Second,
	} {
		if got := backOff(failures); got != want {
			t.Errorf("after %d failures %v, want %v", failures, got, want)
		}
	}
}

func TestTargetValidateNamesWhatIsWrong(t *testing.T) {
	for name, bad := range map[string]Target{
		"no endpoint":           {},
		"no port":               {Endpoints: []string{"db"}},
		"a port that is no one": {Endpoints: []string{"db:none"}},
		"an unknown TLS mode":   {Endpoints: []string{"db:5432"}, TLS: "perhaps"},
	} {
		if err := bad.Validate(); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: error %v, want it refused", name, err)
		}
	}
}
