package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model"
)

// buildLog reads what a build says: it tells of its progress, and keeps the
// last lines for the case that it fails.
type buildLog struct {
	images images
	phase  string
	rest   []byte
	tail   []string
}

const tailLines = 12

func (m images) buildLog(phase string) *buildLog { return &buildLog{images: m, phase: phase} }

// Write implements io.Writer.
func (l *buildLog) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		l.rest = rest
		l.line(strings.TrimSpace(string(line)))
	}
}

func (l *buildLog) line(text string) {
	if detail, ok := buildProgress(text); ok {
		l.images.progress(provider.Progress{Phase: l.phase, Detail: detail})
	}
	l.images.log.Debug("build", "phase", l.phase, "line", text)
	l.tail = append(l.tail, text)
	l.tail = l.tail[max(0, len(l.tail)-tailLines):]
}

// explain is the error of a build that failed.
func (l *buildLog) explain(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	if at := slices.IndexFunc(l.tail, func(line string) bool { return strings.Contains(line, "E: Version '") }); at >= 0 {
		return fmt.Errorf("%s failed: %s: the archive no longer offers the version that the application's members have; let it offer that one (a mirror or snapshot): %w: %w",
			what, l.tail[at], err, model.ErrUnavailable)
	}
	return fmt.Errorf("%s failed, its last lines follow: %w: %w\n%s", what, err, model.ErrUnavailable, strings.Join(l.tail, "\n"))
}

// buildProgress picks from what apt, dpkg and mmdebstrap say what an operator
// wants to see.
func buildProgress(line string) (detail string, ok bool) {
	if rest, ok := strings.CutPrefix(line, "Get:"); ok {
		_, rest, _ = strings.Cut(rest, " ")
		return "fetching " + rest, true
	}
	if rest, ok := strings.CutPrefix(line, "I: "); ok {
		return rest, true
	}
	return line, strings.HasPrefix(line, "Unpacking ") || strings.HasPrefix(line, "Setting up ")
}
