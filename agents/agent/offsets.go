package agent

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"syscall"
)

// logOffset is how far a log was sent, which is known by its file's number
// once it was rotated.
type logOffset struct {
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"`
}

// in is where to go on in the file that is there now: at its begin where it is
// another, or was cut off.
func (o logOffset) in(file fs.FileInfo) int64 {
	if inode(file) != o.Inode || file.Size() < o.Offset {
		return 0
	}
	return o.Offset
}

func inode(file fs.FileInfo) uint64 {
	if s, ok := file.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}

// readOffsets gives none where they cannot be read: logs are then sent from
// now on.
func readOffsets(path string) map[string]logOffset {
	var saved map[string]logOffset
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &saved) != nil {
		return nil
	}
	return saved
}

// saveOffsets keeps how far logs were sent, and returns that. It is not flushed
// to the disk: after a loss of power some lines are sent again.
func (a *agent) saveOffsets(tails map[string]*logTail, saved map[string]logOffset) map[string]logOffset {
	next := maps.Clone(saved) // with those of units that have not begun yet
	if next == nil {
		next = map[string]logOffset{}
	}
	for path, t := range tails {
		if t.file != nil {
			next[path] = logOffset{Inode: inode(t.file), Offset: t.offset}
		}
	}
	for path := range next {
		if _, err := os.Lstat(path); err != nil {
			delete(next, path)
			delete(tails, path)
		}
	}
	if maps.Equal(next, saved) {
		return saved
	}
	if err := writeOffsets(a.Dirs.offsets(), next); err != nil {
		a.Logger.Warn("cannot keep how far logs were sent", slog.Any("error", err))
		return saved
	}
	return next
}

func writeOffsets(path string, of map[string]logOffset) error {
	if len(of) == 0 {
		return os.Remove(path)
	}
	b, err := json.Marshal(of)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path+".new", b, 0o600), os.Rename(path+".new", path))
}
