package host

import (
	"bytes"
	"log/slog"
	"sync"

	"github.com/gantry-orchestrator/gantry/model"
)

// maxLine bounds a line that a charm prints; the rest of a longer one is
// another line.
const maxLine = 4096

// lineLog logs what a charm prints, line by line.
type lineLog struct {
	log   *slog.Logger
	charm model.CharmName

	mu   sync.Mutex
	rest []byte
}

// Write implements io.Writer.
func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		if end < 0 && len(l.rest) < maxLine {
			return len(p), nil
		}
		next := end + 1
		if end < 0 {
			end, next = maxLine, maxLine
		}
		if line := bytes.TrimSpace(l.rest[:end]); len(line) > 0 {
			l.log.Info("charm printed", "charm", l.charm, "text", string(line))
		}
		l.rest = l.rest[next:]
	}
}
