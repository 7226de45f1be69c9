package history

import (
	"context"
	"sync"
)

// Bounds of what waits to be written.
const (
	maxRows  = 50_000
	maxBytes = 64 << 20
	batch    = 400 // rows of one transaction
)

// buffer holds what waits to be written, in order.
type buffer struct {
	mu      sync.Mutex
	rows    []Row
	taken   int // rows at the front that a batch under way has
	bytes   int
	counts  [lines + 1]int // rows that wait, by class, without those taken
	dropped [lines + 1]uint64
	added   uint64        // rows ever taken in, and
	done    uint64        // ... written or dropped
	filled  chan struct{} // holds a token while there may be rows
	changed chan struct{} // closed and replaced when rows leave
}

func newBuffer() *buffer {
	return &buffer{filled: make(chan struct{}, 1), changed: make(chan struct{})}
}

// offer takes rows in that may be dropped. It never waits.
func (b *buffer) offer(rows ...Row) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range rows {
		b.add(r)
	}
	b.shrink()
	b.signal()
}

// put takes rows in that are never dropped, once there is room: all or, when
// ctx ends, none. What may be dropped makes room for them.
func (b *buffer) put(ctx context.Context, rows ...Row) error {
	for {
		b.mu.Lock()
		if len(b.rows)-b.spare() < maxRows && b.bytes < 2*maxBytes {
			for _, r := range rows {
				b.add(r)
			}
			b.shrink()
			b.signal()
			b.mu.Unlock()
			return nil
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// spare is how many waiting rows may be dropped.
func (b *buffer) spare() int { return b.counts[asked] + b.counts[soft] + b.counts[lines] }

func (b *buffer) add(r Row) {
	b.rows = append(b.rows, r)
	b.bytes += r.size()
	b.counts[r.kind().class]++
	b.added++
}

// shrink drops until the bounds are kept: the oldest of the class that is
// missed least, then of the next. It takes an eighth more than it must, so that
// a flood does not pay for it row by row.
func (b *buffer) shrink() {
	for c := lines; c > kept && (len(b.rows) > maxRows || b.bytes > maxBytes); c-- {
		if b.counts[c] > 0 {
			b.drop(c)
		}
	}
}

func (b *buffer) drop(c class) {
	left := b.rows[:b.taken]
	length, bytes := len(b.rows), b.bytes
	for _, r := range b.rows[b.taken:] {
		if r.kind().class == c && (length > maxRows*7/8 || bytes > maxBytes*7/8) {
			length--
			bytes -= r.size()
			b.counts[c]--
			b.dropped[c]++
			b.done++
			continue
		}
		left = append(left, r)
	}
	clear(b.rows[len(left):])
	b.rows, b.bytes = left, bytes
}

func (b *buffer) signal() {
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

// take waits for rows and returns the oldest, which stay until written.
func (b *buffer) take(ctx context.Context) []Row {
	for {
		b.mu.Lock()
		n := min(batch, len(b.rows))
		b.count(b.rows[:n], -1)
		b.taken = n
		rows := append([]Row(nil), b.rows[:n]...)
		b.mu.Unlock()
		if n > 0 {
			return rows
		}
		select {
		case <-b.filled:
		case <-ctx.Done():
			return nil
		}
	}
}

func (b *buffer) count(rows []Row, by int) {
	for _, r := range rows {
		b.counts[r.kind().class] += by
	}
}

// written lets go of what take returned.
func (b *buffer) written() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.rows[:b.taken] {
		b.bytes -= r.size()
	}
	b.done += uint64(b.taken)
	clear(b.rows[:b.taken])
	b.rows, b.taken = b.rows[b.taken:], 0
	close(b.changed)
	b.changed = make(chan struct{})
}

// lost returns how many rows of each class were dropped since it was last
// asked.
func (b *buffer) lost() [lines + 1]uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	lost := b.dropped
	b.dropped = [lines + 1]uint64{}
	return lost
}

// waiting is how many rows are not yet written.
func (b *buffer) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.rows)
}

// flushed waits until every row that was taken in before is written or was
// dropped.
func (b *buffer) flushed(ctx context.Context) error {
	b.mu.Lock()
	want := b.added
	b.mu.Unlock()
	for {
		b.mu.Lock()
		done, changed := b.done, b.changed
		b.mu.Unlock()
		if done >= want {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
