package ledger

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Event is what happened to a packet.
type Event string

// The events, in the order in which a packet can see them. Where packets go
// through a topic, it is the topic that acknowledges, and the archive in which a
// packet is looked up, once that has all of the topic; what is absent then is
// not sent again.
const (
	Sent    Event = "sent"    // it is about to be sent for the first time
	Acked   Event = "acked"   // its first insert was acknowledged
	Unknown Event = "unknown" // it was sent and the connection was lost
	Found   Event = "found"   // unknown, and looked up: the insert had taken effect
	Absent  Event = "absent"  // unknown, and looked up: it had not, and never will
	Resent  Event = "resent"  // absent, sent again and acknowledged
	Dropped Event = "dropped" // absent, and lost with the run that made it
)

var events = []Event{Sent, Acked, Unknown, Found, Absent, Resent, Dropped}

// Acknowledged tells whether after e the archive must hold the packet.
func (e Event) Acknowledged() bool { return e == Acked || e == Found || e == Resent }

// Final tells whether nothing more will be recorded of the packet.
func (e Event) Final() bool { return e.Acknowledged() || e == Dropped }

// Record is one line of the ledger.
type Record struct {
	Event  Event
	At     time.Time // wall clock, to the nanosecond
	ID     ID
	Digest Digest
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends the line of r: event, Unix time in nanoseconds, id,
// digest and the CRC-32C of all that, with spaces between and a newline after.
func appendRecord(b []byte, r Record) []byte {
	start := len(b)
	b = append(b, r.Event...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.At.UnixNano(), 10)
	b = fmt.Appendf(b, " %v %v", r.ID, r.Digest)
	return fmt.Appendf(b, " %08x\n", crc32.Checksum(b[start:], castagnoli))
}

// parseRecord reads a line of the ledger without its newline.
func parseRecord(line string) (Record, error) {
	body, sum, _ := cutLast(line)
	if fmt.Sprintf("%08x", crc32.Checksum([]byte(body), castagnoli)) != sum {
		return Record{}, fmt.Errorf("checksum does not match: %w", model.ErrInvalid)
	}
	fields := strings.Split(body, " ")
	if len(fields) != 4 || !slices.Contains(events, Event(fields[0])) {
		return Record{}, fmt.Errorf("not a record of this version: %w", model.ErrInvalid)
	}
	at, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return Record{}, fmt.Errorf("time %q: want nanoseconds: %w", fields[1], model.ErrInvalid)
	}
	id, err := ParseID(fields[2])
	if err != nil {
		return Record{}, err
	}
	digest, err := ParseDigest(fields[3])
	if err != nil {
		return Record{}, err
	}
	return Record{Event: Event(fields[0]), At: time.Unix(0, at).UTC(), ID: id, Digest: digest}, nil
}

func cutLast(line string) (body, last string, found bool) {
	if i := strings.LastIndexByte(line, ' '); i >= 0 {
		return line[:i], line[i+1:], true
	}
	return "", line, false
}
