package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/model"
)

// Packet is one row of the archive.
type Packet struct {
	ID         ledger.ID
	Spacecraft uint16
	APID       uint16
	Count      uint16
	Generated  time.Time
	Octets     []byte
}

// Nothing in the table makes an id unique: the archive must be able to hold
// the fault that an audit looks for.
const (
	tablesPresent = `SELECT to_regclass('telemetry_archiver') IS NOT NULL`

	createTable = `CREATE TABLE IF NOT EXISTS telemetry_packet (
	id uuid NOT NULL,
	source text NOT NULL,
	spacecraft integer NOT NULL,
	apid integer NOT NULL,
	sequence_count integer NOT NULL,
	generated timestamptz NOT NULL,
	packet bytea NOT NULL,
	archived timestamptz NOT NULL DEFAULT now()
)`
	createIndex = `CREATE INDEX IF NOT EXISTS telemetry_packet_id ON telemetry_packet (id)`

	lockKey = `SELECT pg_advisory_xact_lock($1::bigint)`

	insertRow = `INSERT INTO telemetry_packet (id, source, spacecraft, apid, sequence_count, generated, packet)
SELECT $1::uuid, $2::text, $3::integer, $4::integer, $5::integer, $6::timestamptz, $7::bytea
WHERE NOT EXISTS (SELECT FROM telemetry_packet WHERE id = $1::uuid)`

	// The row is locked, which is a write: the commit of the look-up waits for
	// the standbys that the commit of the insert would have waited for.
	lookUpRow = `SELECT id FROM telemetry_packet WHERE id = $1::uuid FOR UPDATE`

	countRows = `SELECT count(*) FROM telemetry_packet WHERE source = $1::text`
)

// tableKey is the advisory lock under which the tables are created.
const tableKey = 0x74656c656d747279

// ensureTables creates what tables are not there.
func ensureTables(ctx context.Context, conn *pgx.Conn) error {
	var present bool
	if err := conn.QueryRow(ctx, tablesPresent).Scan(&present); err != nil || present {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockKey, int64(tableKey)); err != nil {
			return err
		}
		// The one that is looked for comes last.
		for _, create := range []string{createTable, createIndex, createOffsets, createArchiver} {
			if _, err := tx.Exec(ctx, create); err != nil {
				return err
			}
		}
		return nil
	})
}

// packetKey is the advisory lock under which everything about one packet is
// done. A look-up therefore waits for an insert that a lost connection left
// running, and such an insert, should it come later, sees the row.
func packetKey(id ledger.ID) int64 {
	return int64(binary.BigEndian.Uint64(id[:8]) ^ binary.BigEndian.Uint64(id[8:]))
}

func rowOf(source string, p Packet) []any {
	return []any{p.ID.String(), source, int32(p.Spacecraft), int32(p.APID), int32(p.Count), p.Generated, p.Octets}
}

// insert archives p in one transaction and one round trip; it is committed
// when insert returns nil.
func insert(ctx context.Context, conn *pgx.Conn, source string, p Packet) error {
	var batch pgx.Batch
	batch.Queue(lockKey, packetKey(p.ID))
	batch.Queue(insertRow, rowOf(source, p)...).Exec(func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != 1 {
			return fmt.Errorf("packet %v is in the archive before it was sent: %w", p.ID, model.ErrConflict)
		}
		return nil
	})
	return conn.SendBatch(ctx, &batch).Close()
}

// lookUp tells whether the archive holds packet id; if so it is as durable as
// an acknowledged one when lookUp returns. If not, absent is called while no
// one else can insert it, and may; what it does is committed with the look-up.
func lookUp(ctx context.Context, conn *pgx.Conn, id ledger.ID, absent func(pgx.Tx) error) (bool, error) {
	found := true
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockKey, packetKey(id)); err != nil {
			return err
		}
		var row string
		err := tx.QueryRow(ctx, lookUpRow, id.String()).Scan(&row)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		found = false
		return absent(tx)
	})
	return found, err
}

// refused tells whether err is the server's refusal of a statement, and so
// certain to have changed nothing. The driver's own SafeToRetry is not asked:
// for a batch that was sent and lost it can say yes (pgx 5.12).
func refused(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.SeverityUnlocalized == "ERROR"
}
