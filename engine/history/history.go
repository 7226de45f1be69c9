package history

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/model"
)

const (
	writeLimit = 10 * time.Second // of one batch
	retryFirst = 50 * time.Millisecond
	retryMost  = time.Second
	turnLeast  = 5 * time.Millisecond // before another attempt while another member writes
	turnTries  = 300                  // ... until that is trouble: some seconds
	farewell   = 2 * time.Second      // to write what waits when the controller stops
)

// Config is what a history needs.
type Config struct {
	Dir string // of the database; made where it is missing
	Log *slog.Logger
	Now func() time.Time

	// Cluster is nil for a controller that is alone. A build without dqlite
	// has no other members and ignores it.
	Cluster *Cluster

	door *door
}

// Cluster connects the histories of several controllers. Whoever made it
// authenticates: a connection that Listener accepts, or that Dial returns, is
// to another controller.
type Cluster struct {
	Self     string       // this member's name, for ever; others are dialled by theirs
	Join     []string     // members that are there already; none at the first start founds
	Listener net.Listener // nil while nobody joined
	Dial     func(ctx context.Context, member string) (net.Conn, error)
}

// History is safe for concurrent use. Run drives it.
type History struct {
	config  Config
	buffer  *buffer
	source  string
	written signal

	mu      sync.Mutex
	db      *database // nil while it is not open
	trouble error     // of the last attempt to open or to write; nil once one succeeded
	since   time.Time // ... that it lasts
	dropped uint64
	gaps    uint64 // numbers the gap rows of this process
}

// New prepares a history. Nothing is opened before Run.
func New(c Config) *History {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.door = &door{}
	return &History{config: c, buffer: newBuffer(), source: NewSource(), trouble: errNotOpen}
}

var errNotOpen = errors.New("it is not open yet")

// NewSource makes the name of a source of rows: one for each term.
func NewSource() string { return rand.Text()[:12] }

// Run opens the database and writes what is offered, until ctx ends. What
// fails is tried again: it never ends with an error.
func (h *History) Run(ctx context.Context) error {
	// Other members reach this one until it has written what waits.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var g errgroup.Group
	if cluster := h.config.Cluster; cluster != nil && cluster.Listener != nil {
		g.Go(func() error { return h.config.door.serve(work, cluster.Listener) })
	}
	if db := h.open(ctx); db != nil {
		h.mu.Lock()
		h.db = db
		h.mu.Unlock()
		h.writeUntil(ctx, work, db)
	}
	stop()
	return g.Wait()
}

// writeUntil writes to an open database until ctx ends, and closes it.
func (h *History) writeUntil(ctx, work context.Context, db *database) {
	work, stop := context.WithCancel(work)
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return h.write(work, db) })
	<-ctx.Done()
	rest, cancel := context.WithTimeout(work, farewell)
	_ = h.buffer.flushed(rest) // what is not written by then is lost with the process, as after a crash
	cancel()
	stop()
	_ = g.Wait() // it only ever returns nil
	h.mu.Lock()
	h.db = nil
	h.failed(errNotOpen)
	h.mu.Unlock()
	if err := db.shut(); err != nil {
		h.config.Log.Warn("the history did not close cleanly", "error", err)
	}
}

// open tries until it succeeds or ctx ends.
func (h *History) open(ctx context.Context) *database {
	for pause := retryFirst; ctx.Err() == nil; pause = min(2*pause, retryMost) {
		db, err := openDatabase(ctx, h.config)
		if err == nil {
			if err = migrate(ctx, db.write); err == nil {
				return db
			}
			err = errors.Join(err, db.shut())
		}
		h.report(err)
		rest(ctx, pause)
	}
	return nil
}

// write is the one writer: batch after batch, each until it succeeded.
func (h *History) write(ctx context.Context, db *database) error {
	next := h.config.Now()
	for {
		if now := h.config.Now(); !now.Before(next) {
			h.retain(ctx, db.write, now)
			next = now.Add(retainEvery)
		}
		waiting, cancel := context.WithTimeout(ctx, retainEvery)
		rows := h.buffer.take(waiting)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if len(rows) == 0 {
			continue
		}
		rows = append(rows, h.losses()...)
		if h.persist(ctx, db, rows); ctx.Err() != nil {
			return nil
		}
		h.buffer.written()
		h.written.send()
	}
}

// persist writes rows, again and again until it succeeded or ctx ends. That
// another member is writing is no trouble, unless it does so for long.
func (h *History) persist(ctx context.Context, db *database, rows []Row) {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		err := h.attempt(ctx, db, rows)
		for tries := 0; contended(err) && ctx.Err() == nil && tries < turnTries; tries++ {
			rest(ctx, turnLeast+mathrand.N(turnLeast*4)) // not all at once again
			err = h.attempt(ctx, db, rows)
		}
		if ctx.Err() != nil && err != nil {
			return
		}
		h.report(err)
		if err == nil {
			return
		}
		rest(ctx, pause)
	}
}

func (h *History) attempt(ctx context.Context, db *database, rows []Row) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	err := writeRows(ctx, db.write, rows)
	if err != nil {
		// A connection that broke is not always known as such to the pool.
		db.write.SetMaxIdleConns(0)
		db.write.SetMaxIdleConns(1)
	}
	return err
}

// losses are gap rows for what was dropped from the buffer.
func (h *History) losses() (rows []Row) {
	for class, n := range h.buffer.lost() {
		if n == 0 {
			continue
		}
		h.mu.Lock()
		h.gaps++
		h.dropped += n
		rows = append(rows, Gap{Source: Source{h.source, h.gaps}, At: h.config.Now(), What: classNames[class], Lost: n})
		h.mu.Unlock()
	}
	return rows
}

// report notes how an attempt ended, and logs when that is news.
func (h *History) report(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err != nil && (h.trouble == nil || errors.Is(h.trouble, errNotOpen)):
		h.config.Log.Warn("the history lags: changes are committed as before", "error", err)
	case err == nil && h.trouble != nil:
		h.config.Log.Info("the history is written", "backend", Backend)
	}
	h.failed(err)
}

func (h *History) failed(err error) {
	if err != nil && h.trouble == nil || h.since.IsZero() {
		h.since = h.config.Now()
	}
	h.trouble = err
}

// Follow makes the members of the history those named, of whom this is one. It
// does nothing in a build without dqlite.
func (h *History) Follow(ctx context.Context, members []string) error {
	h.mu.Lock()
	db := h.db
	h.mu.Unlock()
	if db == nil {
		_, err := h.reader()
		return err
	}
	return db.node.follow(ctx, members)
}

// Offer takes rows that may be dropped. It never waits.
func (h *History) Offer(rows ...Row) { h.buffer.offer(rows...) }

// Put takes rows that are never dropped, once there is room for them. Of an
// event's keys it makes rows of their own.
func (h *History) Put(ctx context.Context, rows ...Row) error {
	var all []Row
	for _, r := range rows {
		all = append(all, r)
		if e, ok := r.(Event); ok {
			for _, k := range e.Keys {
				all = append(all, eventKey{model: e.Model, entity: k, epoch: e.Epoch, index: e.Index})
			}
		}
	}
	return h.buffer.put(ctx, all...)
}

// Flushed waits until what was offered before is written, or was dropped.
func (h *History) Flushed(ctx context.Context) error { return h.buffer.flushed(ctx) }

// Written is closed once more rows are written by this member.
func (h *History) Written() <-chan struct{} { return h.written.wait() }

// Health says how far the history is behind.
type Health struct {
	Backend string
	Waiting int       // rows that are not yet written
	Dropped uint64    // rows, since this process began
	Trouble error     // why it cannot be written; nil where it can
	Since   time.Time // of the trouble
}

// Health returns how far the history is behind.
func (h *History) Health() Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := Health{Backend: Backend, Waiting: h.buffer.waiting(), Dropped: h.dropped, Trouble: h.trouble}
	if h.trouble != nil {
		out.Since = h.since
	}
	return out
}

// reader is the database to read from.
func (h *History) reader() (*sql.DB, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.db == nil {
		return nil, fmt.Errorf("the history is out of reach (%w); the model is not affected: try again: %w", h.trouble, model.ErrUnavailable)
	}
	return h.db.read, nil
}

// database is an open one. write has one connection and one user.
type database struct {
	write, read *sql.DB
	close       func() error // after both; may be nil
	node        *node        // of a cluster; nil elsewhere
}

func (d *database) shut() error {
	err := errors.Join(d.read.Close(), d.write.Close())
	if d.close != nil {
		err = errors.Join(err, d.close())
	}
	return err
}

// rest waits, for less when ctx ends.
func rest(ctx context.Context, pause time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// signal tells any number of waiters that something happened.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}
