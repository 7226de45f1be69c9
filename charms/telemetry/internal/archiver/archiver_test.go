package archiver

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/pgtest"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/spacecraft"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/topic"
)

const name = "telemetry"

// observer counts what it hears, of one archiver or several.
type observer struct {
	archived, skipped, behind, holding, tenures atomic.Int64
}

func (o *observer) Archived(n int) { o.archived.Add(int64(n)) }
func (o *observer) Skipped(n int)  { o.skipped.Add(int64(n)) }
func (o *observer) Behind(n int64) { o.behind.Store(n) }
func (o *observer) Holding(holds bool) {
	if holds {
		o.holding.Add(1)
		o.tenures.Add(1)
	} else {
		o.holding.Add(-1)
	}
}

// Recorded, Committed and Connected make it a producer's observer too.
func (*observer) Recorded(ledger.Event)   {}
func (*observer) Committed(time.Duration) {}
func (*observer) Connected(int)           {}

// site is a topic, an archive, and a sender of packets.
type site struct {
	t       *testing.T
	server  *pgtest.Server
	cluster *kfake.Cluster
	topic   topic.Target
	archive archive.Target
	craft   *spacecraft.Spacecraft
	sent    uint64
}

func newSite(t *testing.T) *site {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(3, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	craft, err := spacecraft.New(42, []packet.APID{1, 2, 3, 4, 5, 6, 7, 8, 9})
	if err != nil {
		t.Fatal(err)
	}
	server := pgtest.New(t)
	return &site{
		t: t, server: server, cluster: cluster, craft: craft,
		topic:   topic.Target{Topic: name, Brokers: cluster.ListenAddrs()},
		archive: archive.Target{Endpoints: []string{server.Endpoint}, User: pgtest.User, Password: pgtest.Password, Database: pgtest.Database},
	}
}

// send sends so many packets, and returns when they are acknowledged.
func (s *site) send(n int) {
	s.t.Helper()
	book, _, err := ledger.Open(filepath.Join(s.t.TempDir(), "ledger"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	producer, err := topic.NewProducer(topic.Config{
		Ledger: book, Source: "telemetry/0", Clock: time.Now, Observer: &observer{}, Log: slog.New(slog.DiscardHandler),
	}, s.topic)
	if err != nil {
		s.t.Fatal(err)
	}
	queue := make(chan archive.Packet, n)
	for range n {
		p, err := s.craft.Next(time.Now())
		if err != nil {
			s.t.Fatal(err)
		}
		octets, err := packet.Encode(p)
		if err != nil {
			s.t.Fatal(err)
		}
		s.sent++
		queue <- archive.Packet{ID: ledger.NewID(1, s.sent), APID: uint16(p.Header.APID), Generated: p.Time.UTC(), Octets: octets}
	}
	close(queue)
	if err := producer.Run(s.t.Context(), queue, nil); err != nil {
		s.t.Fatal(err)
	}
}

// start runs an archiver and returns what ends it.
func (s *site) start(holder string, lease time.Duration, o *observer) (end func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Config{
			Holder: holder, Topic: s.topic, Archive: s.archive, Timeout: 10 * time.Second, Lease: lease,
			Observer: o, Log: slog.New(slog.DiscardHandler),
		})
	}()
	return func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
}

func (s *site) await(what string, done func() bool) {
	s.t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(time.Minute); !done(); <-poll.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited too long for %s", what)
		}
	}
}

// once checks that each packet that was sent is archived once.
func (s *site) once() {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.server.DSN(pgtest.Database))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var rows, packets uint64
	const count = "SELECT count(*), count(DISTINCT id) FROM telemetry_packet WHERE source = 'telemetry/0' AND spacecraft = 42"
	if err := conn.QueryRow(s.t.Context(), count).Scan(&rows, &packets); err != nil {
		s.t.Fatal(err)
	}
	if rows != s.sent || packets != s.sent {
		s.t.Errorf("%d rows of %d packets, %d were sent", rows, packets, s.sent)
	}
}

func TestAnArchiverGoesOnWhereTheLastOneEnded(t *testing.T) {
	s := newSite(t)
	s.send(100)
	o := &observer{}
	for round := range 3 {
		end := s.start("telemetry/0", time.Hour, o)
		s.await("what was sent", func() bool { return o.archived.Load() == int64(s.sent) })
		end()
		if o.holding.Load() != 0 || o.behind.Load() != 0 {
			t.Errorf("round %d: after the end %d hold the topic, %d behind", round, o.holding.Load(), o.behind.Load())
		}
		s.send(50)
	}
	end := s.start("telemetry/0", time.Hour, o)
	s.await("the rest", func() bool { return o.archived.Load() == int64(s.sent) })
	end()
	s.once()
}

// Both go by one name, as where a unit's former process has outlived it: the
// lease keeps neither from the work.
func TestTwoArchiversThatWorkAtOnceArchiveOnce(t *testing.T) {
	s := newSite(t)
	one, other := &observer{}, &observer{}
	endOne, endOther := s.start("telemetry/0", time.Hour, one), s.start("telemetry/0", time.Hour, other)
	s.await("both to begin", func() bool { return one.holding.Load() == 1 && other.holding.Load() == 1 })
	for range 10 {
		s.send(20)
	}
	s.await("what was sent", func() bool { return one.archived.Load()+other.archived.Load() >= int64(s.sent) })
	endOne()
	endOther()
	s.once()
	t.Logf("%d and %d packets, in %d and %d tenures", one.archived.Load(), other.archived.Load(), one.tenures.Load(), other.tenures.Load())
}

func TestAnotherArchiverStandsByUntilTheFirstIsGone(t *testing.T) {
	s := newSite(t)
	first, second := &observer{}, &observer{}
	end := s.start("telemetry/0", 3*time.Second, first)
	s.await("the first to begin", func() bool { return first.holding.Load() == 1 })
	endSecond := s.start("telemetry/1", 3*time.Second, second)
	s.send(10)
	s.await("what was sent", func() bool { return first.archived.Load() == 10 })
	end()
	s.send(10)
	s.await("the second to take over", func() bool { return second.archived.Load() == 10 })
	endSecond()
	s.once()
}

func TestWhatIsNoPacketIsSkippedAndATopicMadeAnewBeginsAnew(t *testing.T) {
	s := newSite(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.topic.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: name, Value: []byte("hello")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.send(10)
	o := &observer{}
	end := s.start("telemetry/0", time.Second, o)
	s.await("packets and the rest", func() bool { return o.archived.Load() == 10 && o.skipped.Load() == 1 })
	if err := s.cluster.DeleteTopic(name); err != nil {
		t.Fatal(err)
	}
	if err := s.cluster.CreateTopic(name, 2, nil); err != nil {
		t.Fatal(err)
	}
	s.send(10)
	s.await("packets of the new topic", func() bool { return o.archived.Load() == 20 })
	end()
	s.once()
}

func TestWhatTheTopicNoLongerHasIsNotPassedOver(t *testing.T) {
	s := newSite(t)
	s.send(30)
	for partition := range int32(3) {
		if err := s.cluster.DeleteRecords(name, partition, 1); err != nil {
			t.Fatal(err)
		}
	}
	o := &observer{}
	end := s.start("telemetry/0", time.Second, o)
	s.await("a second try", func() bool { return o.tenures.Load() > 1 })
	end()
	if n := o.archived.Load(); n != 0 {
		t.Errorf("%d packets are archived as if none were missing", n)
	}
}
