package history

import (
	"context"
	"database/sql"
	"fmt"
)

// migrations are applied in order, each once. One that was released is never
// changed: another follows it.
var migrations = [][]string{
	{
		`CREATE TABLE event (
			epoch INTEGER NOT NULL, idx INTEGER NOT NULL, model TEXT NOT NULL, at INTEGER NOT NULL, revision INTEGER NOT NULL, origin TEXT NOT NULL,
			author TEXT NOT NULL, reason TEXT NOT NULL, summary TEXT NOT NULL, keys TEXT NOT NULL, PRIMARY KEY (model, epoch, idx)) WITHOUT ROWID`,
		`CREATE INDEX event_at ON event (at)`,
		`CREATE TABLE event_key (
			model TEXT NOT NULL, entity TEXT NOT NULL, epoch INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (model, entity, epoch, idx)) WITHOUT ROWID`,
		`CREATE INDEX event_key_idx ON event_key (epoch, idx)`,
		`CREATE TABLE status (
			source TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, model TEXT NOT NULL, entity TEXT NOT NULL, kind TEXT NOT NULL,
			level TEXT NOT NULL, message TEXT NOT NULL, idx INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (source, n))`,
		`CREATE INDEX status_entity ON status (model, entity, at)`,
		`CREATE INDEX status_at ON status (at)`,
		`CREATE TABLE part (
			model TEXT NOT NULL, part TEXT NOT NULL, epoch INTEGER NOT NULL, idx INTEGER NOT NULL, at INTEGER NOT NULL, revision INTEGER NOT NULL,
			doc TEXT NOT NULL, PRIMARY KEY (model, part, epoch, idx, at)) WITHOUT ROWID`,
		`CREATE INDEX part_at ON part (at)`,
		`CREATE TABLE operation (
			model TEXT NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL, idx INTEGER NOT NULL, at INTEGER NOT NULL, ended INTEGER NOT NULL, kind TEXT NOT NULL,
			target TEXT NOT NULL, task TEXT NOT NULL, author TEXT NOT NULL, state TEXT NOT NULL, result TEXT NOT NULL,
			PRIMARY KEY (model, id, epoch, idx)) WITHOUT ROWID`,
		`CREATE INDEX operation_at ON operation (at)`,
		`CREATE TABLE audit (
			source TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, who TEXT NOT NULL, method TEXT NOT NULL, model TEXT NOT NULL,
			outcome TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (source, n))`,
		`CREATE INDEX audit_at ON audit (at)`,
		`CREATE TABLE log (
			source TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, model TEXT NOT NULL, unit TEXT NOT NULL, machine TEXT NOT NULL,
			origin TEXT NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (source, n))`,
		`CREATE INDEX log_model ON log (model, at)`,
		`CREATE INDEX log_at ON log (at)`,
		`CREATE TABLE gap (
			source TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
			lost INTEGER NOT NULL, PRIMARY KEY (source, n)) WITHOUT ROWID`,
		`CREATE TABLE cursor (name TEXT NOT NULL PRIMARY KEY, idx INTEGER NOT NULL) WITHOUT ROWID`,
		`CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID`,
	},
}

// migrate brings the tables to what this build writes. Two members may do so
// at once: one of them fails and tries again.
func migrate(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migration (version INTEGER NOT NULL PRIMARY KEY)`); err != nil {
		return fmt.Errorf("migrate the history: %w", err)
	}
	var version int
	if err := db.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM migration`).Scan(&version); err != nil {
		return fmt.Errorf("migrate the history: %w", err)
	}
	for ; version < len(migrations); version++ {
		if err := transact(ctx, db, func(tx *sql.Tx) error {
			for _, statement := range migrations[version] {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO migration (version) VALUES (?)`, version+1)
			return err
		}); err != nil {
			return fmt.Errorf("migrate the history to version %d: %w", version+1, err)
		}
	}
	return nil
}

// transact does all of work, or none of it; after an error of the commit
// itself it may be either.
func transact(ctx context.Context, db *sql.DB, work func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := work(tx); err != nil {
		_ = tx.Rollback() // the error of the work says more
		return err
	}
	return tx.Commit()
}
