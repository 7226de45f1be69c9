package topic

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/pgtest"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/spacecraft"
	"github.com/gantry-orchestrator/gantry/model"
)

const name = "telemetry"

var when = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// packetOf is the packet of a serial number, one that decodes.
func packetOf(t *testing.T, serial uint64) archive.Packet {
	t.Helper()
	craft, err := spacecraft.New(42, []packet.APID{100})
	if err != nil {
		t.Fatal(err)
	}
	p, err := craft.Next(when)
	if err != nil {
		t.Fatal(err)
	}
	p.Header.Count = uint16(serial)
	octets, err := packet.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	return archive.Packet{ID: ledger.NewID(7, serial), Spacecraft: 42, APID: 100, Count: uint16(serial), Generated: when, Octets: octets}
}

func brokers(t *testing.T, more ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.SeedTopics(3, name)}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// observer keeps what it hears.
type observer struct {
	mu       sync.Mutex
	recorded map[ledger.Event]int
	links    int
}

func (o *observer) Recorded(e ledger.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.recorded[e]++
}

func (*observer) Committed(time.Duration) {}

func (o *observer) Connected(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.links += n
}

func (o *observer) count(e ledger.Event) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.recorded[e]
}

// bench is a producer with its ledger.
type bench struct {
	*Producer
	path     string
	observer *observer
	open     []ledger.Record
}

func newBench(t *testing.T, path string, to Target, catalog *archive.Catalog) bench {
	t.Helper()
	book, history, err := ledger.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	o := &observer{recorded: map[ledger.Event]int{}}
	p, err := NewProducer(Config{
		Ledger: book, Source: "telemetry/0", Catalog: catalog, Clock: time.Now, Observer: o, Log: slog.New(slog.DiscardHandler),
	}, to)
	if err != nil {
		t.Fatal(err)
	}
	return bench{Producer: p, path: path, observer: o, open: history.Open}
}

// deliver sends packets and returns when all are acknowledged.
func (b bench) deliver(t *testing.T, packets ...archive.Packet) {
	t.Helper()
	queue := make(chan archive.Packet, len(packets))
	for _, p := range packets {
		queue <- p
	}
	close(queue)
	if err := b.Run(t.Context(), queue, b.open); err != nil {
		t.Fatal(err)
	}
	if b.observer.links != 0 {
		t.Errorf("%d connections are left", b.observer.links)
	}
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(time.Minute); !done(); <-poll.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// read returns the packets of the topic, by ID.
func read(t *testing.T, to Target) map[ledger.ID][]archive.Packet {
	t.Helper()
	reader, err := NewReader(to)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ends, err := reader.Ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := archive.Position{Topic: ends.Topic, Next: map[int32]int64{}}
	for partition := range ends.Next {
		at.Next[partition] = 0
	}
	reader.Seek(at)
	all := map[ledger.ID][]archive.Packet{}
	for !at.Covers(ends) {
		fetches, err := reader.Poll(t.Context(), time.Second, 100)
		if err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at.Next[r.Partition] = r.Offset + 1
			source, p, err := Decode(r)
			if err != nil || source != "telemetry/0" {
				t.Errorf("%s sent it, error %v", source, err)
			}
			all[p.ID] = append(all[p.ID], p)
		})
	}
	return all
}

func plain(cluster *kfake.Cluster) Target {
	return Target{Topic: name, Brokers: cluster.ListenAddrs()}
}

func TestWhatIsAcknowledgedIsInTheTopicOnceAndWhole(t *testing.T) {
	cluster := brokers(t)
	b := newBench(t, filepath.Join(t.TempDir(), "ledger"), plain(cluster), nil)
	var packets []archive.Packet
	for serial := range uint64(50) {
		packets = append(packets, packetOf(t, serial))
	}
	// Requests that are lost on their way are sent again.
	for range 3 {
		cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("lost"), true })
	}
	b.deliver(t, packets...)
	if sent, acked := b.observer.count(ledger.Sent), b.observer.count(ledger.Acked); sent != 50 || acked != 50 {
		t.Errorf("%d sent and %d acknowledged", sent, acked)
	}
	held := read(t, plain(cluster))
	for _, p := range packets {
		if diff := cmp.Diff([]archive.Packet{p}, held[p.ID]); diff != "" {
			t.Errorf("packet %v (-sent +read):\n%s", p.ID, diff)
		}
	}
}

func TestBrokersThatAskWhoIsThereAndShowACertificate(t *testing.T) {
	certificate, authority := selfSigned(t)
	may := func(operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	cluster := brokers(t,
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}}), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("SCRAM-SHA-512", "operator", "o"),
		kfake.User("SCRAM-SHA-512", "relation-3", "secret", may(kmsg.ACLOperationWrite), may(kmsg.ACLOperationRead), may(kmsg.ACLOperationDescribe)))
	to := plain(cluster)
	to.User, to.Password, to.CA = "relation-3", "secret", authority
	newBench(t, filepath.Join(t.TempDir(), "ledger"), to, nil).deliver(t, packetOf(t, 1))
	if n := len(read(t, to)); n != 1 {
		t.Errorf("%d packets in the topic", n)
	}
	for refused, change := range map[string]func(*Target){
		"a password that is wrong": func(t *Target) { t.Password = "guessed" },
		"brokers that are others":  func(o *Target) { _, o.CA = selfSigned(t) },
		"without a certificate":    func(t *Target) { t.CA = "" },
	} {
		wrong := to
		change(&wrong)
		reader, err := NewReader(wrong)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if _, err := reader.Layout(ctx); err == nil {
			t.Errorf("%s: no error", refused)
		}
		cancel()
		reader.Close()
	}
}

func TestALoginThatChangesIsUsedAtTheNextConnection(t *testing.T) {
	cluster := brokers(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "new", "secret"))
	to := plain(cluster)
	to.User, to.Password = "old", "withdrawn"
	b := newBench(t, filepath.Join(t.TempDir(), "ledger"), to, nil)
	queue := make(chan archive.Packet, 1)
	queue <- packetOf(t, 1)
	close(queue)
	done := make(chan error, 1)
	go func() { done <- b.Run(t.Context(), queue, nil) }()
	await(t, "a refusal", func() bool { return b.refusals.Load() > 0 })
	to.User, to.Password = "new", "secret"
	if err := b.Retarget(to); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if b.observer.count(ledger.Acked) != 1 {
		t.Error("the packet is not acknowledged")
	}
}

func TestWhatARunLeftOpenIsFoundOrDroppedOnceTheArchiveHasPassedIt(t *testing.T) {
	server, cluster := pgtest.New(t), brokers(t)
	database := archive.Target{Endpoints: []string{server.Endpoint}, User: pgtest.User, Password: pgtest.Password, Database: pgtest.Database}
	catalog := archive.NewCatalog("telemetry/0", 10*time.Second, database)
	path := filepath.Join(t.TempDir(), "ledger")
	book, _, err := ledger.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, serial := range []uint64{1, 2} {
		p := packetOf(t, serial)
		if err := book.Append(ledger.Record{Event: ledger.Sent, At: when, ID: p.ID, Digest: ledger.DigestOf(p.Octets)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.Close(); err != nil {
		t.Fatal(err)
	}
	// The first came as far as the topic.
	newBench(t, filepath.Join(t.TempDir(), "other"), plain(cluster), nil).deliver(t, packetOf(t, 1))

	b := newBench(t, path, plain(cluster), catalog)
	queue, done := make(chan archive.Packet), make(chan error, 1)
	go func() { done <- b.Run(t.Context(), queue, b.open) }()
	await(t, "both to be unknown", func() bool { return b.observer.count(ledger.Unknown) == 2 })
	intake, err := archive.OpenIntake(t.Context(), database, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer intake.Close()
	ends, err := EndsOf(t.Context(), b.client, name)
	if err != nil {
		t.Fatal(err)
	}
	from, err := intake.Position(t.Context(), ends.Topic, []int32{0, 1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if n := b.observer.count(ledger.Found) + b.observer.count(ledger.Dropped); n != 0 {
		t.Errorf("%d are settled before the archive has the topic", n)
	}
	if err := intake.Take(t.Context(), archive.Batch{From: from, To: ends, Packets: []archive.Arrival{
		{Packet: packetOf(t, 1), Source: "telemetry/0", Partition: partitionOf(ends)},
	}}); err != nil {
		t.Fatal(err)
	}
	await(t, "both to be settled", func() bool {
		return b.observer.count(ledger.Found) == 1 && b.observer.count(ledger.Absent) == 1 && b.observer.count(ledger.Dropped) == 1
	})
	close(queue)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// partitionOf is the one that holds something.
func partitionOf(ends archive.Position) int32 {
	for partition, next := range ends.Next {
		if next > 0 {
			return partition
		}
	}
	return -1
}

func TestAPacketThatABrokerRefusesIsInDoubtAndTheNextGoOn(t *testing.T) {
	cluster := brokers(t)
	server := pgtest.New(t)
	database := archive.Target{Endpoints: []string{server.Endpoint}, User: pgtest.User, Password: pgtest.Password, Database: pgtest.Database}
	b := newBench(t, filepath.Join(t.TempDir(), "ledger"), plain(cluster), archive.NewCatalog("telemetry/0", 10*time.Second, database))
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: name, Err: kerr.TopicAuthorizationFailed, Count: 1})
	queue, done := make(chan archive.Packet), make(chan error, 1)
	go func() { done <- b.Run(t.Context(), queue, nil) }()
	queue <- packetOf(t, 1)
	await(t, "the refusal", func() bool { return b.observer.count(ledger.Unknown) == 1 })
	queue <- packetOf(t, 2)
	close(queue)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if b.observer.count(ledger.Acked) != 1 || b.refusals.Load() != 0 {
		t.Errorf("%d acknowledged, %d refusals in a row", b.observer.count(ledger.Acked), b.refusals.Load())
	}
}

func TestRunEndsWithItsContextWhileNoBrokerIsThere(t *testing.T) {
	b := newBench(t, filepath.Join(t.TempDir(), "ledger"), Target{Topic: name, Brokers: []string{"127.0.0.1:1"}}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx, make(chan archive.Packet), nil) }()
	await(t, "the topic to be looked for", func() bool { return b.refusals.Load() > 0 })
	cancel()
	if err := <-done; err != nil || b.observer.count(ledger.Sent) != 0 {
		t.Errorf("error %v, %d sent", err, b.observer.count(ledger.Sent))
	}
}

func TestDecodeRefusesWhatIsNoPacketOfOurs(t *testing.T) {
	good := func() *kgo.Record { return recordOf("telemetry/0", packetOf(t, 1)) }
	if _, _, err := Decode(good()); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*kgo.Record){
		"no headers":         func(r *kgo.Record) { r.Headers = nil },
		"an id cut short":    func(r *kgo.Record) { r.Headers[0].Value = r.Headers[0].Value[1:] },
		"octets cut short":   func(r *kgo.Record) { r.Value = r.Value[:9] },
		"octets that differ": func(r *kgo.Record) { r.Value = append([]byte{}, r.Value...); r.Value[20] ^= 1 },
	} {
		r := good()
		spoil(r)
		if _, _, err := Decode(r); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: error %v, want it invalid", what, err)
		}
	}
}

func TestTargetValidateNamesWhatIsWrong(t *testing.T) {
	for what, bad := range map[string]Target{
		"no topic":       {Brokers: []string{"k:9092"}},
		"no broker":      {Topic: name},
		"no port":        {Topic: name, Brokers: []string{"k"}},
		"no certificate": {Topic: name, Brokers: []string{"k:9092"}, CA: "trust me"},
	} {
		if err := bad.Validate(); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: error %v, want it refused", what, err)
		}
	}
}

// selfSigned makes a certificate of the loopback address, and its PEM.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
