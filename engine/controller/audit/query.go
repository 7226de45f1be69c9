package audit

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// page is how many records are sent at once.
const page = 256

// List implements api.Audit.
func (l *Log) List(ctx context.Context, q operator.AuditQuery, send func([]operator.AuditRecord) error) error {
	if _, err := l.sync(); err != nil {
		return err
	}
	paths, err := segments(l.c.Dir)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	var found []operator.AuditRecord
	flush := func(least int) error {
		if len(found) < least || len(found) == 0 || q.Last > 0 && least > 1 {
			return ctx.Err()
		}
		defer func() { found = nil }()
		return send(found)
	}
	for _, path := range paths {
		s, err := read(path)
		if err != nil {
			return err
		}
		for _, raw := range s.lines {
			r, err := parse(raw)
			if err != nil || r.Time.Before(q.Since) || q.Denied && r.Outcome != operator.Refused {
				continue // what does not read is for Verify to name
			}
			found = append(found, r.AuditRecord)
			if q.Last > 0 && len(found) > 2*q.Last {
				found = append(found[:0:0], found[len(found)-q.Last:]...)
			}
			if err := flush(page); err != nil {
				return err
			}
		}
	}
	if q.Last > 0 && len(found) > q.Last {
		found = found[len(found)-q.Last:]
	}
	return flush(1)
}
