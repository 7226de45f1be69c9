package e2e

import (
	"context"
	encoding "encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// credentials are what data-integrator shows.
type credentials map[string]string

func (c credentials) options() []kgo.Opt {
	login := scram.Auth{User: c["username"], Pass: c["password"]}
	return []kgo.Opt{
		kgo.SeedBrokers(strings.Split(c["endpoints"], ",")...), kgo.SASL(login.AsSha512Mechanism()),
		kgo.MetadataMinAge(200 * time.Millisecond), kgo.MetadataMaxAge(2 * time.Second),
		kgo.RequestTimeoutOverhead(2 * time.Second), kgo.ProduceRequestTimeout(2 * time.Second),
	}
}

// producer writes numbers to a topic, and notes in a ledger which of them were
// acknowledged, and when. A record is sent again until it is; the producer is
// idempotent, so that none may be there twice.
type producer struct {
	client  *kgo.Client
	stop    chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	sent   int64
	acked  map[int64]time.Time
	failed []error
}

// rate is how many records are written in a second.
const rate = 200

func startProducer(t testing.TB, c credentials) *producer {
	t.Helper()
	client, err := kgo.NewClient(append(c.options(), kgo.DefaultProduceTopic(c["topic"]), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(1<<20))...)
	if err != nil {
		t.Fatal(err)
	}
	p := &producer{client: client, stop: make(chan struct{}), acked: map[int64]time.Time{}}
	p.running.Go(p.run)
	return p
}

func (p *producer) run() {
	tick := time.NewTicker(time.Second / rate)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.write()
		}
	}
}

func (p *producer) write() {
	p.mu.Lock()
	number := p.sent
	p.sent++
	p.mu.Unlock()
	value := encoding.BigEndian.AppendUint64(nil, uint64(number))
	p.client.Produce(context.Background(), &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil {
			p.failed = append(p.failed, err)
			return
		}
		p.acked[number] = time.Now()
	})
}

// gap is the longest time without an acknowledgement since from.
func (p *producer) gap(from time.Time) (longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := []time.Time{from, time.Now()}
	for _, when := range p.acked {
		if when.After(from) {
			at = append(at, when)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	for i := 1; i < len(at); i++ {
		longest = max(longest, at[i].Sub(at[i-1]))
	}
	return longest
}

// flows waits until records are acknowledged that were written from now on.
func (p *producer) flows(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	from := p.sent
	p.mu.Unlock()
	eventually(t, time.Minute, "records are acknowledged", func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, ok := p.acked[from+rate]; !ok {
			return fmt.Errorf("record %d is not, of %d; failures: %v", from+rate, p.sent, errors.Join(p.failed...))
		}
		return nil
	})
}

// end stops writing, and waits for what was written.
func (p *producer) end(t testing.TB) {
	t.Helper()
	close(p.stop)
	p.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := p.client.Flush(ctx); err != nil {
		t.Errorf("flush: %v", err)
	}
	p.client.Close()
	if len(p.failed) > 0 {
		t.Errorf("%d records failed beyond retries: %v", len(p.failed), errors.Join(p.failed[:1]...))
	}
}

// audit reads the whole topic, and compares it with the ledger.
func (p *producer) audit(t testing.TB, c credentials) {
	t.Helper()
	client, err := kgo.NewClient(append(c.options(), kgo.ConsumeTopics(c["topic"]), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	seen := map[int64]int{}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	missing := func() (n int) {
		for number := range p.acked {
			if seen[number] == 0 {
				n++
			}
		}
		return n
	}
	for ctx.Err() == nil && missing() > 0 {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { seen[int64(encoding.BigEndian.Uint64(r.Value))]++ })
	}
	doubled := 0
	for _, times := range seen {
		if times > 1 {
			doubled++
		}
	}
	figure("kafka's records acknowledged", float64(len(p.acked)), "records", "no goal")
	figure("kafka's acknowledged records lost", float64(missing()), "records", "goal 0")
	figure("kafka's records doubled", float64(doubled), "records", "goal 0")
	if missing() > 0 || doubled > 0 {
		t.Errorf("of %d acknowledged records %d are lost and %d doubled", len(p.acked), missing(), doubled)
	}
}
