package live

import (
	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// keptLines is how much of the log is kept.
const keptLines = 20000

// ring keeps the latest lines. Line i is in slot i modulo keptLines.
type ring struct {
	slots []api.LogLine
	next  uint64 // number of lines ever added
}

func (r *ring) add(l api.LogLine) {
	if len(r.slots) < keptLines {
		r.slots = append(r.slots, l)
	} else {
		r.slots[r.next%keptLines] = l
	}
	r.next++
}

// after returns the kept lines from a cursor on.
func (r *ring) after(cursor uint64) (lines []api.LogLine) {
	if oldest := r.next - uint64(len(r.slots)); cursor < oldest {
		cursor = oldest
	}
	for ; cursor < r.next; cursor++ {
		lines = append(lines, r.slots[cursor%keptLines])
	}
	return lines
}

// Log adds lines of a model's log.
func (l *Live) Log(m model.ModelName, lines []effect.LogLine) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range lines {
		l.lines.add(api.LogLine{Model: m, Line: line})
	}
	l.wake()
}

// Lines implements api.Live.
func (l *Live) Lines(after uint64) ([]api.LogLine, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.after(after), l.lines.next
}
