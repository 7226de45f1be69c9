package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const (
	logInterval = time.Second
	maxLogLines = 2000      // kept while the controller is away; the oldest go first
	maxLogRead  = 256 << 10 // of one file, at one look
	maxLogLine  = 8 << 10
)

// tailLogs sends what services write. How far it came is kept, so that the next
// agent sends what was written while none was there. Of a log of which nothing
// is known, of a unit that was there before, it sends what is written from now.
func (a *agent) tailLogs(ctx context.Context) error {
	tails := map[string]*logTail{}
	saved := readOffsets(a.Dirs.offsets())
	var waiting []effect.LogLine
	for {
		if err := pause(ctx, logInterval); err != nil {
			return err
		}
		for _, u := range a.all() {
			for _, line := range u.newLines(tails, saved) {
				line.Machine = a.Machine
				waiting = append(waiting, line)
			}
		}
		waiting = waiting[max(0, len(waiting)-maxLogLines):]
		if len(waiting) > 0 && a.link.send(effect.Upward{Logs: waiting}) == nil {
			waiting = nil
		}
		if len(waiting) == 0 {
			saved = a.saveOffsets(tails, saved)
		}
	}
}

// logTail is how far a log was read.
type logTail struct {
	file   fs.FileInfo
	offset int64
}

// newLines reads what the unit's services have written since the last look.
func (u *unitLoop) newLines(tails map[string]*logTail, saved map[string]logOffset) []effect.LogLine {
	var lines []effect.LogLine
	for _, path := range u.logFiles() {
		t := tails[path]
		if t == nil {
			t = &logTail{file: u.oldLogs[path]}
			if t.file != nil {
				t.offset = t.file.Size()
			}
			if known, ok := saved[path]; ok && t.file != nil {
				t.offset = known.in(t.file)
			}
			tails[path] = t
		}
		text, err := t.read(path)
		if err != nil {
			continue // it was rotated or removed between; the next look finds what is there
		}
		lines = append(lines, logLines(u.name, strings.TrimSuffix(filepath.Base(path), ".log"), text)...)
	}
	return lines
}

func (u *unitLoop) logFiles() []string {
	paths, err := filepath.Glob(filepath.Join(u.agent.Dirs.Host(u.name).Log, "*.log"))
	if err != nil {
		return nil // only a malformed pattern fails
	}
	return paths
}

// noteLogs remembers how long the logs are of a unit that was there before.
func (u *unitLoop) noteLogs() {
	u.oldLogs = map[string]fs.FileInfo{}
	for _, path := range u.logFiles() {
		if info, err := os.Stat(path); err == nil {
			u.oldLogs[path] = info
		}
	}
}

// read returns whole lines that are new. A file of another identity, or that
// shrank, is read from its begin.
func (t *logTail) read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	info, err := f.Stat()
	if err != nil {
		return "", errors.Join(err, f.Close())
	}
	if t.file == nil || !os.SameFile(t.file, info) || info.Size() < t.offset {
		t.offset = 0
	}
	t.file = info
	b, err := io.ReadAll(io.NewSectionReader(f, t.offset, maxLogRead))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	end := strings.LastIndexByte(string(b), '\n') + 1
	if end == 0 && len(b) == maxLogRead {
		end = len(b) // a line without an end
	}
	t.offset += int64(end)
	return string(b[:end]), nil
}

func logLines(name model.UnitName, source, text string) []effect.LogLine {
	var lines []effect.LogLine
	now := time.Now()
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > maxLogLine {
			line = line[:maxLogLine]
		}
		lines = append(lines, effect.LogLine{Time: now, Unit: name, Source: source, Text: line})
	}
	return lines
}
