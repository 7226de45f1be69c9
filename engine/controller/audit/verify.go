package audit

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Verify implements api.Audit. It reads every file and compares with what this
// process wrote and what is committed.
func (l *Log) Verify(ctx context.Context) (operator.AuditVerdict, error) {
	head, err := l.sync()
	if err != nil {
		return operator.AuditVerdict{}, err
	}
	anchor, _ := l.c.Anchored()
	v, err := verify(ctx, l.c.Dir, anchor, head)
	v.Controller = l.c.Controller
	return v, err
}

// verify checks the files of a directory against what is committed and, where
// it is known, what was written last.
func verify(ctx context.Context, dir string, anchor, head state.Anchor) (operator.AuditVerdict, error) {
	w := &walk{anchor: anchor, head: head, verdict: operator.AuditVerdict{Anchored: anchor.Sequence}}
	paths, err := segments(dir)
	if err != nil {
		return w.verdict, err
	}
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return w.verdict, err
		}
		s, err := read(path)
		if err != nil {
			w.fault("%v", err)
		} else {
			w.segment(s)
		}
		if w.verdict.Fault != "" {
			return w.verdict, nil
		}
	}
	w.end()
	return w.verdict, nil
}

// walk goes along the chain.
type walk struct {
	anchor, head state.Anchor
	hash         string
	begun        bool
	verdict      operator.AuditVerdict
}

func (w *walk) fault(format string, args ...any) {
	if w.verdict.Fault == "" {
		w.verdict.Fault = fmt.Sprintf(format, args...)
	}
}

func (w *walk) segment(s segment) {
	if w.begun && s.before != w.hash {
		w.fault("record %d: the file %s does not follow on it", w.verdict.Last, s.path)
		return
	}
	w.hash = s.before
	for i, raw := range s.lines {
		r, err := parse(raw)
		expected := w.verdict.Last + 1
		if !w.begun {
			expected = w.begins(r)
		}
		switch {
		case w.verdict.Fault != "":
			return
		case err != nil:
			w.fault("record %d was altered: it does not read (%v)", expected, err)
			return
		case r.Sequence != expected:
			w.misplaced(expected, r.Sequence, s.lines[i+1:])
			return
		case link(w.hash, r.text) != r.hash:
			w.fault("record %d was altered: its hash is not that of its text", expected)
			return
		}
		w.hash, w.verdict.Last = r.hash, expected
		w.verdict.Records++
		w.known(w.anchor, "the controllers have committed")
		w.known(w.head, "this controller wrote")
	}
}

// begins is the number that the first record must have.
func (w *walk) begins(r line) uint64 {
	w.begun, w.verdict.First = true, r.Sequence
	kept := max(w.anchor.First, 1)
	if r.Sequence > kept {
		w.fault("records %d to %d were removed: the log begins with %d", kept, r.Sequence-1, r.Sequence)
	}
	if r.Sequence == 0 {
		return 1
	}
	return r.Sequence
}

// misplaced says why another record stands where one is expected.
func (w *walk) misplaced(expected, found uint64, rest []string) {
	if len(rest) > 0 {
		if next, err := parse(rest[0]); err == nil && next.Sequence == expected+1 {
			w.fault("record %d was altered: it says that it is %d", expected, found)
			return
		}
	}
	for _, raw := range rest {
		if r, err := parse(raw); err == nil && r.Sequence == expected {
			w.fault("record %d was moved: %d stands in its place", expected, found)
			return
		}
	}
	if found > expected {
		w.fault("records %d to %d were removed: %d follows on %d", expected, found-1, found, expected-1)
		return
	}
	w.fault("record %d stands where %d should be: records were put in", found, expected)
}

// known compares with a hash that is known from elsewhere.
func (w *walk) known(a state.Anchor, how string) {
	if a.Sequence == w.verdict.Last && a.Hash != w.hash {
		w.fault("record %d, or one before it, was written anew: %s another hash of it", a.Sequence, how)
	}
}

// end compares with how far the log is known to have come.
func (w *walk) end() {
	for _, a := range []state.Anchor{w.anchor, w.head} {
		if a.Sequence > w.verdict.Last {
			w.fault("records %d to %d were cut off", w.verdict.Last+1, a.Sequence)
		}
	}
}
