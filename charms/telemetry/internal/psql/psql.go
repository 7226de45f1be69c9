// Package psql reads the archive with PostgreSQL's own client, so that an
// audit does not rest on the code that it audits.
package psql

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/audit"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/model"
)

// Query says which rows to read.
type Query struct {
	Program    string // psql, or its path
	Connection string // libpq's; a password may also come by PGPASSWORD or PGPASSFILE
	Password   string // where set, stands for PGPASSWORD
	Source     string // whose rows; empty is everybody's
}

// The digest is ledger.Digest, computed by the server. One statement is one
// snapshot, and COPY does not gather its rows in memory.
const statement = `COPY (SELECT id, left(encode(sha256(packet), 'hex'), 32) FROM telemetry_packet %s) TO STDOUT;`

// Rows runs psql when it is ranged over and returns its rows as they come.
func Rows(ctx context.Context, q Query) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		if err := q.read(ctx, yield); err != nil {
			yield(audit.Row{}, fmt.Errorf("read the archive by psql: %w", err))
		}
	}
}

// read returns nil when the consumer had enough.
func (q Query) read(ctx context.Context, yield func(audit.Row, error) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	condition := ""
	if q.Source != "" {
		condition = "WHERE source = :'source'"
	}
	command := exec.CommandContext(ctx, q.Program, "-XAtqw", "-v", "ON_ERROR_STOP=1", "-v", "source="+q.Source, "-d", q.Connection, "-f", "-")
	if q.Password != "" {
		command.Env = append(os.Environ(), "PGPASSWORD="+q.Password)
	}
	command.Stdin = strings.NewReader(fmt.Sprintf(statement, condition))
	var diagnostics bytes.Buffer
	command.Stderr = &diagnostics
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("install postgresql-client or name the program: %w", err)
	}
	more, readErr := parse(output, yield)
	if !more || readErr != nil {
		cancel()
		_ = command.Wait() // ended early on purpose
		return readErr
	}
	if err := command.Wait(); err != nil {
		return fmt.Errorf("%w: %s: %w", err, strings.TrimSpace(diagnostics.String()), model.ErrUnavailable)
	}
	return nil
}

// parse yields the rows of output and tells whether the consumer took all.
func parse(output io.Reader, yield func(audit.Row, error) bool) (more bool, err error) {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		id, digest, _ := strings.Cut(lines.Text(), "\t")
		var row audit.Row
		if row.ID, err = ledger.ParseID(id); err != nil {
			return false, err
		}
		if row.Digest, err = ledger.ParseDigest(digest); err != nil {
			return false, err
		}
		if !yield(row, nil) {
			return false, nil
		}
	}
	return true, lines.Err()
}
