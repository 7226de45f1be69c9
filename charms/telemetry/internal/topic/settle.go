package topic

import (
	"context"
	"slices"
	"sync"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
)

// lookedUp is how many packets are looked up in one exchange with the archive.
const lookedUp = 100

// doubts are packets of which it is not known whether the topic has them: the
// run that sent them ended, or a broker refused what may have been a repetition.
type doubts struct {
	more chan struct{} // holds one while list is not empty

	mu   sync.Mutex
	list []ledger.Record
}

func (d *doubts) add(records ...ledger.Record) {
	if len(records) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, records...)
	select {
	case d.more <- struct{}{}:
	default:
	}
}

func (d *doubts) take() []ledger.Record {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := d.list
	d.list = nil
	return taken
}

// settle finds out what became of packets in doubt, until ctx ends. It waits
// for the archiver to pass where the topic ends now, and looks them up. One
// that is absent is dropped: it is not sent again, and so never there twice.
func (p *Producer) settle(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.doubts.more:
		}
		open := p.doubts.take()
		for i := range open {
			if open[i].Event != ledger.Sent {
				continue
			}
			if err := p.conclude(&open[i], ledger.Unknown); err != nil {
				return err
			}
		}
		if p.pass(ctx) != nil {
			return nil
		}
		for some := range slices.Chunk(open, lookedUp) {
			held, err := p.holds(ctx, some)
			if err != nil {
				return nil // ctx ended
			}
			if err := p.judge(some, held); err != nil {
				return err
			}
		}
	}
}

// pass blocks until the archive has taken all that the topic held when it was
// called; its error is that of ctx.
func (p *Producer) pass(ctx context.Context) error {
	var ends archive.Position
	if err := p.insist(ctx, "ask where the topic ends", func() (err error) {
		ends, err = EndsOf(ctx, p.client, p.target.Load().Topic)
		return err
	}); err != nil {
		return err
	}
	for {
		var taken archive.Position
		if err := p.insist(ctx, "ask how far the archive is", func() (err error) {
			taken, err = p.config.Catalog.Position(ctx, ends.Topic)
			return err
		}); err != nil {
			return err
		}
		if taken.Covers(ends) {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (p *Producer) holds(ctx context.Context, open []ledger.Record) (held map[ledger.ID]bool, err error) {
	ids := make([]ledger.ID, 0, len(open))
	for _, r := range open {
		ids = append(ids, r.ID)
	}
	err = p.insist(ctx, "look packets up", func() (err error) {
		held, err = p.config.Catalog.Holds(ctx, ids)
		return err
	})
	return held, err
}

func (p *Producer) judge(open []ledger.Record, held map[ledger.ID]bool) error {
	for _, r := range open {
		events := []ledger.Event{ledger.Absent, ledger.Dropped}
		if held[r.ID] {
			events = []ledger.Event{ledger.Found}
		}
		for _, e := range events {
			if err := p.conclude(&r, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// conclude records what became of a packet.
func (p *Producer) conclude(r *ledger.Record, event ledger.Event) error {
	r.Event, r.At = event, p.config.Clock()
	if err := p.config.Ledger.Append(*r); err != nil {
		return err
	}
	p.config.Observer.Recorded(event)
	return nil
}

// insist repeats what fails until it does not; its error is that of ctx.
func (p *Producer) insist(ctx context.Context, operation string, do func() error) error {
	for failures := 0; ; failures++ {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if failures == 0 {
			p.config.Log.Warn("packets in doubt are not settled yet", "operation", operation, "err", err)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}
