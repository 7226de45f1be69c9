package consensus

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Meter is told how long things took. It must not block.
type Meter interface {
	Committed(took time.Duration, err error)
	Applied(commands int, took time.Duration)
	Stored(took time.Duration)
}

// Vitals are figures of a member.
type Vitals struct {
	Term     uint64
	Index    uint64 // of the newest entry
	Entries  uint64 // that are kept
	Bytes    int64  // of the log's files
	Snapshot time.Time
}

// Vitals returns the member's figures. What cannot be read is zero.
func (n *Node) Vitals() Vitals {
	v := Vitals{Term: n.raft.CurrentTerm(), Index: n.raft.LastIndex()}
	if n.disk.fault() != nil {
		return v
	}
	if first, err := n.disk.FirstIndex(); err == nil && first > 0 {
		v.Entries = v.Index - min(v.Index, first) + 1
	}
	_ = filepath.WalkDir(filepath.Join(n.config.Dir, "wal"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // a file that goes meanwhile
		}
		if info, err := d.Info(); err == nil {
			v.Bytes += info.Size()
		}
		return nil
	})
	v.Snapshot = newestSnapshot(filepath.Join(n.config.Dir, "snapshots"))
	return v
}

// newestSnapshot is the time in the name TERM-INDEX-MILLISECONDS of the newest.
func newestSnapshot(dir string) (at time.Time) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		parts := strings.Split(e.Name(), "-")
		if len(parts) != 3 {
			continue
		}
		if ms, err := strconv.ParseInt(parts[2], 10, 64); err == nil && time.UnixMilli(ms).After(at) {
			at = time.UnixMilli(ms)
		}
	}
	return at
}
