package topic

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
)

// Config is what a Producer needs. Nothing in it may be left out.
type Config struct {
	Ledger   *ledger.Ledger
	Source   string           // who sends: marks the records
	Catalog  *archive.Catalog // of what the archiver took from the topic
	Clock    func() time.Time // stamps the ledger's records
	Observer archive.Observer
	Log      *slog.Logger
}

const (
	// inHand is how many packets may be with the brokers at a time.
	inHand = 4096
	// produceTimeout is how long a broker may wait for the replicas in sync.
	// It is asked again for ever after.
	produceTimeout = 5 * time.Second
	// retryAfter is how long to wait after brokers or archive have failed.
	retryAfter = 500 * time.Millisecond
)

// Producer sends packets to a topic. A packet is acknowledged when all replicas
// in sync have it; a repeated request is known by its sequence number, and
// counts once.
type Producer struct {
	config Config
	target atomic.Pointer[Target]
	client *kgo.Client
	doubts doubts

	known    atomic.Bool  // the brokers know the topic, and refused nothing since
	refusals atomic.Int64 // in a row
}

// NewProducer returns a producer to target. It has no effect before Run.
func NewProducer(config Config, target Target) (*Producer, error) {
	p := &Producer{config: config, doubts: doubts{more: make(chan struct{}, 1)}}
	p.target.Store(&target)
	client, err := connect(&p.target,
		kgo.DefaultProduceTopic(target.Topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProduceRequestTimeout(produceTimeout),
		kgo.UnknownTopicRetries(-1),
		kgo.MaxBufferedRecords(inHand),
		kgo.WithHooks(connections{config.Observer}))
	if err != nil {
		return nil, err
	}
	p.client = client
	return p, nil
}

// Retarget has the next connection made to target, whose topic is the same.
func (p *Producer) Retarget(target Target) error {
	if p.target.Load().Equal(target) {
		return nil
	}
	p.target.Store(&target)
	return p.client.UpdateSeedBrokers(target.Brokers...)
}

// Run sends packets until the channel is closed, and settles what is open from
// an earlier run. It runs once, and returns nil when all are acknowledged, or
// when ctx ends: then what became of a packet in hand is for the next run to
// find out. Its errors are the ledger's.
func (p *Producer) Run(ctx context.Context, packets <-chan archive.Packet, open []ledger.Record) error {
	p.doubts.add(open...)
	outcomes := make(chan outcome, inHand)
	group, ctx := errgroup.WithContext(ctx)
	settling, settled := context.WithCancel(ctx)
	group.Go(func() error { return p.settle(settling) })
	group.Go(func() error { return p.record(outcomes) })
	group.Go(func() error {
		defer settled()
		defer close(outcomes)
		return p.send(ctx, packets, outcomes)
	})
	return group.Wait()
}

// outcome is what the client says of a packet that it was given.
type outcome struct {
	id     ledger.ID
	digest ledger.Digest
	sent   time.Time
	err    error
}

// send gives the client one packet after the other, and returns when it has
// said of each what became of it.
func (p *Producer) send(ctx context.Context, packets <-chan archive.Packet, outcomes chan<- outcome) error {
	var open sync.WaitGroup
	defer open.Wait()
	defer p.client.Close()
	for {
		if err := p.ready(ctx); err != nil {
			return nil // ctx ended
		}
		select {
		case <-ctx.Done():
			return nil
		case one, more := <-packets:
			if !more {
				_ = p.client.Flush(ctx) // where ctx ends first, the rest is left open
				return nil
			}
			o := outcome{id: one.ID, digest: ledger.DigestOf(one.Octets), sent: p.config.Clock()}
			if err := p.config.Ledger.Note(o.record(ledger.Sent, o.sent)); err != nil {
				return err
			}
			p.config.Observer.Recorded(ledger.Sent)
			open.Add(1)
			p.client.Produce(ctx, recordOf(p.config.Source, one), func(_ *kgo.Record, err error) {
				defer open.Done()
				o.err = err
				outcomes <- o
			})
		}
	}
}

// ready blocks until the brokers know the topic and let it be seen, at first
// and after a refusal. So none is begun that is certain to be refused.
func (p *Producer) ready(ctx context.Context) error {
	for !p.known.Load() {
		if p.refusals.Load() > 0 {
			if err := pause(ctx); err != nil {
				return err
			}
		}
		_, err := LayoutOf(ctx, p.client, p.target.Load().Topic)
		if err == nil {
			p.known.Store(true)
			return nil
		}
		if p.refusals.Add(1) == 1 {
			p.config.Log.Warn("the topic is not ready", "err", err)
		}
	}
	return ctx.Err()
}

func (o outcome) record(event ledger.Event, at time.Time) ledger.Record {
	return ledger.Record{Event: event, At: at, ID: o.id, Digest: o.digest}
}

// record writes outcomes to the ledger until there are no more, as many at a
// time as have come. After an error of the ledger it only takes them.
func (p *Producer) record(outcomes <-chan outcome) (err error) {
	for first := range outcomes {
		batch := []outcome{first}
		for len(outcomes) > 0 {
			batch = append(batch, <-outcomes)
		}
		if err == nil {
			err = p.recordAll(batch)
		}
	}
	return err
}

// recordAll makes the acknowledged of a batch durable before it tells of them.
func (p *Producer) recordAll(batch []outcome) error {
	now := p.config.Clock()
	var acked []outcome
	for _, o := range batch {
		switch {
		case o.err == nil:
			acked = append(acked, o)
		case !ended(o.err):
			if p.refusals.Add(1) == 1 {
				p.config.Log.Warn("the topic takes no packets", "packet", o.id, "err", o.err)
			}
			p.known.Store(false)
			p.doubts.add(o.record(ledger.Sent, now))
		}
	}
	if refusals := p.refusals.Load(); len(acked) > 0 && refusals > 0 && p.refusals.CompareAndSwap(refusals, 0) {
		p.config.Log.Info("the topic takes packets again", "refusals", refusals)
	}
	for i, o := range acked {
		write := p.config.Ledger.Note
		if i == len(acked)-1 {
			write = p.config.Ledger.Append
		}
		if err := write(o.record(ledger.Acked, now)); err != nil {
			return err
		}
	}
	for _, o := range acked {
		p.config.Observer.Recorded(ledger.Acked)
		p.config.Observer.Committed(now.Sub(o.sent))
	}
	return nil
}

// ended reports whether an error says no more than that the producer ends.
func ended(err error) bool {
	return slices.ContainsFunc([]error{context.Canceled, context.DeadlineExceeded, kgo.ErrClientClosed, kgo.ErrAborting}, func(end error) bool {
		return errors.Is(err, end)
	})
}

// pause waits a little; its error is that of ctx.
func pause(ctx context.Context) error {
	wait := time.NewTimer(retryAfter)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		return nil
	}
}

// connections tells an observer of the connections with brokers.
type connections struct{ observer archive.Observer }

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (c connections) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		c.observer.Connected(+1)
	}
}

// OnBrokerDisconnect implements kgo.HookBrokerDisconnect.
func (c connections) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { c.observer.Connected(-1) }
