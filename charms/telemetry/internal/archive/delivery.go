package archive

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/model"
)

// delivery is the way of one packet to a final event.
type delivery struct {
	writer  *Writer
	session *session
	packet  Packet
	digest  ledger.Digest
	lost    bool         // its octets are gone: only look it up
	last    ledger.Event // recorded of it
}

// halt is an error that ends the writer: no other session would help.
type halt struct{ error }

func (h halt) Unwrap() error { return h.error }

// run ends with a final event in the ledger, or early when ctx does.
func (d *delivery) run(ctx context.Context) error {
	for {
		conn, err := d.session.ready(ctx)
		if err != nil {
			return nil // ctx ended; the ledger says how far the packet came
		}
		if err := d.begin(); err != nil {
			return err
		}
		err = d.attempt(ctx, conn)
		if err == nil {
			d.session.succeeded()
			return nil
		}
		if stop := (halt{}); errors.As(err, &stop) {
			return stop.error
		}
		if !refused(err) && d.last != ledger.Unknown {
			if err := d.record(ledger.Unknown); err != nil {
				return err
			}
		}
		d.session.fail("archive a packet", err)
	}
}

// begin records what must be in the ledger before the archive hears of the
// packet: that it is sent, or that an earlier run left its outcome unknown.
func (d *delivery) begin() error {
	switch {
	case d.last == "":
		d.last = ledger.Sent
		d.writer.config.Observer.Recorded(ledger.Sent)
		return d.writer.config.Ledger.Note(d.stamp(ledger.Sent))
	case d.lost && d.last == ledger.Sent:
		return d.record(ledger.Unknown)
	}
	return nil
}

// attempt brings the packet to its final event in one transaction. The first
// time it is inserted; when its outcome is unknown it is looked up before.
func (d *delivery) attempt(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, d.writer.config.Timeout)
	defer cancel()
	start := d.writer.config.Clock()
	event, err := d.send(ctx, conn)
	if err != nil {
		return err
	}
	if event.Acknowledged() {
		d.writer.config.Observer.Committed(d.writer.config.Clock().Sub(start))
	}
	if err := d.record(event); err != nil {
		return halt{err}
	}
	return nil
}

func (d *delivery) send(ctx context.Context, conn *pgx.Conn) (ledger.Event, error) {
	if d.last == ledger.Sent {
		err := insert(ctx, conn, d.writer.config.Source, d.packet)
		if errors.Is(err, model.ErrConflict) {
			return "", halt{err}
		}
		return ledger.Acked, err
	}
	found, err := lookUp(ctx, conn, d.packet.ID, func(tx pgx.Tx) error {
		if err := d.record(ledger.Absent); err != nil {
			return halt{err}
		}
		if d.lost {
			return nil
		}
		_, err := tx.Exec(ctx, insertRow, rowOf(d.writer.config.Source, d.packet)...)
		return err
	})
	switch {
	case err != nil:
		return "", err
	case found:
		return ledger.Found, nil
	case d.lost:
		return ledger.Dropped, nil
	}
	return ledger.Resent, nil
}

func (d *delivery) record(event ledger.Event) error {
	if err := d.writer.config.Ledger.Append(d.stamp(event)); err != nil {
		return err
	}
	d.last = event
	d.writer.config.Observer.Recorded(event)
	return nil
}

func (d *delivery) stamp(event ledger.Event) ledger.Record {
	return ledger.Record{Event: event, At: d.writer.config.Clock(), ID: d.packet.ID, Digest: d.digest}
}
