package program

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/audit"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/psql"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/topic"
)

// auditArchive compares ledgers with the archive, prints the report as JSON on
// stdout and for people on stderr, and returns ErrFaults if there are faults.
func auditArchive(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("audit", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it
	var books ledgers
	defer func() { err = errors.Join(err, books.close()) }()
	flags.Func("ledger", "ledger `file` of a writer; repeat it for each", books.open)
	query := psql.Query{}
	flags.StringVar(&query.Connection, "psql", "", "libpq `connection` string of the archive's primary")
	flags.StringVar(&query.Program, "client", "psql", "psql `program`")
	flags.StringVar(&query.Source, "source", "", "compare only rows of this `source`")
	if err := flags.Parse(args); err != nil {
		return usage(err)
	}
	if len(books) == 0 || query.Connection == "" || flags.NArg() > 0 {
		return usage(errors.New("audit takes --ledger FILE (one or more), --psql CONNECTION, and may take --client PROGRAM and --source NAME"))
	}
	return compare(books, psql.Rows(ctx, query), stdout, stderr)
}

// AuditConfigured audits the sender that the configuration at path is of: its
// ledger, and its rows where it archives them. Where its packets go through a
// topic, it waits until the archive has what was acknowledged by then.
func AuditConfigured(ctx context.Context, path string, report, summary io.Writer) (err error) {
	c, err := loadConfig(path)
	if err != nil {
		return err
	}
	connection, err := c.target.Connection()
	if err != nil {
		return err
	}
	var books ledgers
	defer func() { err = errors.Join(err, books.close()) }()
	if err := books.open(c.Ledger); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	query := psql.Query{Program: "psql", Connection: connection, Password: c.target.Password, Source: c.Source}
	rows := psql.Rows(ctx, query)
	if c.Topic != nil {
		rows = c.caughtUp(ctx, rows)
	}
	return compare(books, rows, report, summary)
}

// caughtUp yields rows once the archive has all that the topic held when it was
// ranged over, which is after the ledger was read.
func (c config) caughtUp(ctx context.Context, rows iter.Seq2[audit.Row, error]) iter.Seq2[audit.Row, error] {
	return func(yield func(audit.Row, error) bool) {
		if err := c.catchUp(ctx); err != nil {
			yield(audit.Row{}, fmt.Errorf("wait for the archiver: %w", err))
			return
		}
		rows(yield)
	}
}

// look is how often the archiver is asked after.
const look = 200 * time.Millisecond

func (c config) catchUp(ctx context.Context) error {
	reader, err := topic.NewReader(c.topic)
	if err != nil {
		return err
	}
	defer reader.Close()
	ends, err := reader.Ends(ctx)
	if err != nil {
		return err
	}
	catalog := archive.NewCatalog(c.Source, c.Timeout, c.target)
	again := time.NewTicker(look)
	defer again.Stop()
	for {
		taken, err := catalog.Position(ctx, ends.Topic)
		if err != nil {
			return err
		}
		if taken.Covers(ends) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is not at the end of topic %s yet; see its log: %w", c.topic.Topic, ctx.Err())
		case <-again.C:
		}
	}
}

// compare prints the report as JSON and a summary for people.
func compare(books ledgers, rows iter.Seq2[audit.Row, error], stdout, stderr io.Writer) error {
	report, err := audit.Compare(books.unread, rows, books.unread)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetIndent("", "  ")
	if err := errors.Join(encoder.Encode(report), report.Summarize(stderr)); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	if report.Faults() > 0 {
		return ErrFaults
	}
	return nil
}

// ledgers are the open ledger files of an audit.
type ledgers []*book

type book struct {
	file *os.File
	read int64
}

func (l *ledgers) open(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	*l = append(*l, &book{file: file})
	return nil
}

func (l ledgers) close() (err error) {
	for _, b := range l {
		err = errors.Join(err, b.file.Close())
	}
	return err
}

// unread yields the records that came since it was last ranged over.
func (l ledgers) unread(yield func(ledger.Record, error) bool) {
	for _, b := range l {
		if _, err := b.file.Seek(b.read, io.SeekStart); err != nil {
			yield(ledger.Record{}, fmt.Errorf("read ledger %s: %w", b.file.Name(), err))
			return
		}
		reader := ledger.NewReader(b.file)
		for r, err := range reader.Records() {
			if err != nil {
				yield(ledger.Record{}, fmt.Errorf("%s: %w", b.file.Name(), err))
				return
			}
			if !yield(r, nil) {
				return
			}
		}
		b.read += reader.Good()
	}
}
