package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
)

// Catalog tells what an archive holds. It connects anew for every question, and
// may be asked by several goroutines.
type Catalog struct {
	source  string
	timeout time.Duration
	aim     *aim
}

// NewCatalog returns the catalog of target for one source, each exchange with
// which takes no longer than timeout.
func NewCatalog(source string, timeout time.Duration, target Target) *Catalog {
	return &Catalog{source: source, timeout: timeout, aim: newAim(target)}
}

// Retarget has the next question asked elsewhere.
func (c *Catalog) Retarget(target Target) { c.aim.move(target) }

// CountRows returns how many packets of the source the archive holds.
func (c *Catalog) CountRows(ctx context.Context) (n int64, err error) {
	err = c.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, countRows, c.source).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("count rows of the archive: %w", err)
	}
	return n, nil
}

// Position returns how far a topic was taken into the archive.
func (c *Catalog) Position(ctx context.Context, topic TopicID) (p Position, err error) {
	err = c.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		p, err = positionOf(ctx, conn, topic)
		return err
	})
	return p, err
}

// Holds tells which of the packets the archive has, as durably as if it had
// acknowledged them just now.
func (c *Catalog) Holds(ctx context.Context, ids []ledger.ID) (held map[ledger.ID]bool, err error) {
	held = map[ledger.ID]bool{}
	err = c.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		for _, id := range ids {
			if held[id], err = lookUp(ctx, conn, id, func(pgx.Tx) error { return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up %d packets: %w", len(ids), err)
	}
	return held, nil
}

func (c *Catalog) ask(ctx context.Context, question func(context.Context, *pgx.Conn) error) error {
	target, _ := c.aim.current()
	conn, err := connect(ctx, target, c.timeout)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return question(ctx, conn)
}
