//go:build !dqlite || !cgo

package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Backend says what this build keeps history in.
const Backend = "sqlite"

// node is a member of a cluster, which this build has not.
type node struct{}

func (*node) follow(context.Context, []string) error { return nil }

// openDatabase opens the one file of this controller.
func openDatabase(ctx context.Context, c Config) (*database, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	file := filepath.Join(c.Dir, "history.db")
	dsn := "file:" + file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_txlock=immediate"
	d := &database{}
	var err error
	if d.write, err = sql.Open("sqlite", dsn); err != nil {
		return nil, fmt.Errorf("open the history in %s: %w", file, err)
	}
	d.write.SetMaxOpenConns(1)
	// The file is made by whoever writes; who reads finds it.
	if err := errors.Join(d.write.PingContext(ctx), os.Chmod(file, 0o600)); err != nil {
		return nil, fmt.Errorf("open the history in %s: %w", file, errors.Join(err, d.write.Close()))
	}
	if d.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return nil, fmt.Errorf("open the history in %s: %w", file, errors.Join(err, d.write.Close()))
	}
	d.read.SetMaxOpenConns(4)
	return d, nil
}

// contended is never reported: SQLite itself waits for its lock.
func contended(error) bool { return false }
