package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// ledger reads what the telemetry program recorded of its packets. It shares
// no code with that program: a line is EVENT NANOSECONDS ID DIGEST CHECKSUM.
type ledger struct {
	path string
	read int64

	sent  map[string]time.Time // first sent
	acked map[string]time.Time // known to be archived
	acks  []time.Time          // of acked, in the ledger's order
}

func newLedger(path string) *ledger {
	return &ledger{path: path, sent: map[string]time.Time{}, acked: map[string]time.Time{}}
}

// refresh reads what was appended since.
func (l *ledger) refresh() error {
	f, err := os.Open(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(l.read, io.SeekStart); err != nil {
		return err
	}
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil // a line that is being written is read next time
		}
		if err != nil {
			return err
		}
		l.read += int64(len(line))
		if err := l.take(strings.Fields(line)); err != nil {
			return fmt.Errorf("%s before byte %d: %w", l.path, l.read, err)
		}
	}
}

func (l *ledger) take(fields []string) error {
	if len(fields) != 5 {
		return fmt.Errorf("a line has %d fields", len(fields))
	}
	ns, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return err
	}
	at, id := time.Unix(0, ns), fields[2]
	switch fields[0] {
	case "sent":
		l.sent[id] = at
	case "acked", "found", "resent":
		l.acked[id] = at
		l.acks = append(l.acks, at)
	}
	return nil
}

// since counts acknowledgements from a time on.
func (l *ledger) since(from time.Time) (n int) {
	for i := len(l.acks) - 1; i >= 0 && !l.acks[i].Before(from); i-- {
		n++
	}
	return n
}

// gap is the longest time without an acknowledgement that ended after a time.
func (l *ledger) gap(from time.Time) (longest time.Duration) {
	for i := len(l.acks) - 1; i > 0 && l.acks[i].After(from); i-- {
		longest = max(longest, l.acks[i].Sub(l.acks[i-1]))
	}
	return longest
}
