package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// What is kept, and how often it is made durable and vouched for.
const (
	segmentBytes = 16 << 20
	segmentsKept = 64
	syncEvery    = time.Second
	anchorEvery  = 30 * time.Second
)

// Config is what a log needs.
type Config struct {
	Dir        string
	Controller string // its ID
	Now        func() time.Time
	// Anchor commits how far the log has come; it fails while it cannot.
	Anchor func(context.Context, state.Anchor) error
	// Anchored is what was last committed.
	Anchored func() (state.Anchor, bool)
}

// Log is a controller's record of requests. It is safe for concurrent use.
type Log struct {
	c Config

	mu     sync.Mutex
	file   *os.File
	out    *bufio.Writer
	size   int
	first  uint64 // that is kept
	last   uint64
	hash   string // of the chain at last
	synced uint64
	failed error // of a write; nothing is recorded after it
}

// Open opens the log in a directory, or begins one. What a crash left half
// written at its end is cut off: it was never vouched for.
func Open(c Config) (*Log, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	l := &Log{c: c, first: 1}
	paths, err := segments(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	if len(paths) == 0 {
		return l, l.begin()
	}
	if oldest, err := read(paths[0]); err == nil && len(oldest.lines) > 0 {
		if r, err := parse(oldest.lines[0]); err == nil {
			l.first = r.Sequence
		}
	}
	s, err := read(paths[len(paths)-1])
	if err != nil {
		return nil, err
	}
	l.hash = s.before
	if _, err := fmt.Sscanf(filepath.Base(s.path), "audit-%d.log", &l.last); err != nil {
		return nil, fmt.Errorf("audit log %s: its name has no number: %w", s.path, model.ErrInvalid)
	}
	l.last--
	if n := len(s.lines); n > 0 {
		r, err := parse(s.lines[n-1])
		if err != nil {
			return l.beside(s)
		}
		l.last, l.hash = r.Sequence, r.hash
	}
	l.synced = l.last
	if l.file, err = os.OpenFile(s.path, os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	if err := errors.Join(l.file.Truncate(int64(s.whole)), seekEnd(l.file)); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	l.out, l.size = bufio.NewWriter(l.file), s.whole
	return l, nil
}

// beside goes on in a segment of its own where the end of the last one was
// altered: who damages the record must not stop the controller with it. Verify
// names what was done.
func (l *Log) beside(s segment) (*Log, error) {
	for _, raw := range s.lines {
		if r, err := parse(raw); err == nil {
			l.last, l.hash = max(l.last, r.Sequence), r.hash
		}
	}
	if at, ok := l.c.Anchored(); ok && at.Sequence > l.last {
		l.last, l.hash = at.Sequence, at.Hash
	}
	l.last++ // the record whose line does not read
	l.synced = l.last
	return l, l.begin()
}

func seekEnd(f *os.File) error {
	_, err := f.Seek(0, 2)
	return err
}

// begin starts a segment with the next record. It has its heading before it
// has its name: a segment without one was tampered with.
func (l *Log) begin() error {
	if l.file != nil {
		if err := errors.Join(l.out.Flush(), l.file.Sync(), l.file.Close()); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
	}
	f, err := os.OpenFile(filepath.Join(l.c.Dir, "next"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	l.file, l.out, l.size = f, bufio.NewWriter(f), 0
	err = errors.Join(l.write(heading+l.hash+"\n"), l.out.Flush(), f.Sync())
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if err := os.Rename(f.Name(), name(l.c.Dir, l.last+1)); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

func (l *Log) write(text string) error {
	n, err := l.out.WriteString(text)
	l.size += n
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// Record adds a request. Its number and time are the log's.
func (l *Log) Record(r operator.AuditRecord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return
	}
	r.Sequence, r.Time = l.last+1, l.c.Now().UTC()
	b, err := json.Marshal(r)
	if err != nil {
		l.failed = fmt.Errorf("audit log: %w", err)
		return
	}
	one := line{text: string(b), hash: link(l.hash, string(b))}
	if l.failed = l.write(one.String()); l.failed != nil {
		return
	}
	l.last, l.hash = r.Sequence, one.hash
	if l.size >= segmentBytes {
		l.failed = l.begin()
	}
}

// sync makes durable what is recorded, and returns how far that is.
func (l *Log) sync() (state.Anchor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return state.Anchor{}, l.failed
	}
	if l.synced != l.last {
		if err := errors.Join(l.out.Flush(), l.file.Sync()); err != nil {
			l.failed = fmt.Errorf("audit log: %w", err)
			return state.Anchor{}, l.failed
		}
		l.synced = l.last
	}
	return state.Anchor{Sequence: l.last, Hash: l.hash, First: l.first}, nil
}

// Run makes records durable and has them vouched for until ctx ends. A fault of
// the disk ends it: a controller that cannot record requests must not go on.
func (l *Log) Run(ctx context.Context) error {
	every := time.NewTicker(syncEvery)
	defer every.Stop()
	var vouched state.Anchor
	next := l.c.Now()
	for {
		select {
		case <-ctx.Done():
			_, err := l.sync()
			return errors.Join(err, l.file.Close())
		case <-every.C:
		}
		at, err := l.sync()
		if err != nil {
			return err
		}
		if at.First, err = l.keeps(); err != nil {
			return err
		}
		if at == vouched || at.Sequence == 0 || l.c.Now().Before(next) {
			continue
		}
		next = l.c.Now().Add(anchorEvery)
		if err := l.c.Anchor(ctx, at); err != nil {
			continue // nobody leads, or another does: it is tried again
		}
		vouched = at
		if err := l.prune(at.First); err != nil {
			return err
		}
	}
}

// keeps is the first record that retention keeps.
func (l *Log) keeps() (uint64, error) {
	paths, err := segments(l.c.Dir)
	if err != nil || len(paths) <= segmentsKept {
		return l.first, err
	}
	s, err := read(paths[len(paths)-segmentsKept])
	if err != nil || len(s.lines) == 0 {
		return l.first, err
	}
	r, err := parse(s.lines[0])
	return r.Sequence, err
}

// prune removes segments before the one that begins with a record, now that it
// is committed that they may be missing.
func (l *Log) prune(first uint64) error {
	paths, err := segments(l.c.Dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if path >= name(l.c.Dir, first) {
			break
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first = first
	return nil
}
