package history

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// maxParameters is how many a statement may have: dqlite's limit.
const maxParameters = 255

// writeRows writes rows in one transaction, as few statements as the limit
// allows: those of a table together, in the order given.
func writeRows(ctx context.Context, db *sql.DB, rows []Row) error {
	var order []*kind
	byKind := map[*kind][]Row{}
	for _, r := range rows {
		k := r.kind()
		if byKind[k] == nil {
			order = append(order, k)
		}
		byKind[k] = append(byKind[k], r)
	}
	return transact(ctx, db, func(tx *sql.Tx) error {
		for _, k := range order {
			if err := insert(ctx, tx, k, byKind[k]); err != nil {
				return fmt.Errorf("write %s rows: %w", k.table, err)
			}
		}
		return nil
	})
}

func insert(ctx context.Context, tx *sql.Tx, k *kind, rows []Row) error {
	most := maxParameters / k.width()
	for len(rows) > 0 {
		n := min(most, len(rows))
		args := make([]any, 0, n*k.width())
		for _, r := range rows[:n] {
			args = append(args, r.values()...)
		}
		if _, err := tx.ExecContext(ctx, statement(k, n), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// statement inserts n rows at once.
func statement(k *kind, n int) string {
	row := "(?" + strings.Repeat(", ?", k.width()-1) + ")"
	return "INSERT INTO " + k.table + " (" + k.columns + ") VALUES " + row + strings.Repeat(", "+row, n-1) + k.conflict
}
