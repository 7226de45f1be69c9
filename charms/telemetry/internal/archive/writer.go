package archive

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
)

// Observer hears what a writer does, from several goroutines at once.
type Observer interface {
	Recorded(ledger.Event)   // the ledger has a further record
	Committed(time.Duration) // an insert was acknowledged after that time
	Connected(sessions int)  // so many sessions more, or fewer
}

// Config is what a Writer needs. Nothing in it may be left out.
type Config struct {
	Ledger   *ledger.Ledger
	Source   string           // who sends: marks the rows
	Workers  int              // sessions that insert at the same time
	Timeout  time.Duration    // of one exchange with the archive
	Clock    func() time.Time // stamps the ledger's records
	Observer Observer
	Log      *slog.Logger
}

// Writer archives packets.
type Writer struct {
	config Config
	aim    *aim
}

// NewWriter returns a writer into target.
func NewWriter(config Config, target Target) *Writer {
	return &Writer{config: config, aim: newAim(target)}
}

// Retarget has the sessions go over to target, each after the packet that it
// has in hand. A packet that the former target left unknown is looked up in
// the new one.
func (w *Writer) Retarget(target Target) { w.aim.move(target) }

// Run archives packets until the channel is closed, and settles what is open
// from an earlier run. It returns nil when all is done, or when ctx ends: then
// what became of a packet in hand is in the ledger as far as it is known. Its
// errors are the ledger's, and an archive that holds what was never sent.
func (w *Writer) Run(ctx context.Context, packets <-chan Packet, open []ledger.Record) error {
	group, ctx := errgroup.WithContext(ctx)
	if len(open) > 0 {
		group.Go(func() error { return w.settle(ctx, open) })
	}
	for range w.config.Workers {
		group.Go(func() error { return w.work(ctx, packets) })
	}
	return group.Wait()
}

func (w *Writer) session() *session {
	return &session{aim: w.aim, timeout: w.config.Timeout, log: w.config.Log, observer: w.config.Observer}
}

// work delivers one packet after the other.
func (w *Writer) work(ctx context.Context, packets <-chan Packet) error {
	session := w.session()
	defer session.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case p, more := <-packets:
			if !more {
				return nil
			}
			d := delivery{writer: w, session: session, packet: p, digest: ledger.DigestOf(p.Octets)}
			if err := d.run(ctx); err != nil {
				return err
			}
		}
	}
}

// settle finds out what became of packets whose run ended before it knew.
// Their octets are gone, so one that is absent is dropped.
func (w *Writer) settle(ctx context.Context, open []ledger.Record) error {
	session := w.session()
	defer session.close()
	for _, r := range open {
		d := delivery{writer: w, session: session, packet: Packet{ID: r.ID}, digest: r.Digest, lost: true, last: r.Event}
		if err := d.run(ctx); err != nil {
			return err
		}
	}
	return nil
}
