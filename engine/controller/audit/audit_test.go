package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func opened(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(Config{Dir: dir, Controller: "c", Now: time.Now, Anchored: func() (state.Anchor, bool) { return state.Anchor{}, false }})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func fill(l *Log, n int) {
	for i := range n {
		l.Record(operator.AuditRecord{Who: fmt.Sprint("user/u", i), Route: "/gantry.v1.Models/Apply", Outcome: operator.Allowed, Index: uint64(i)})
	}
}

// tampered makes a log of ten records, has its lines altered, and returns what
// verifying says with the anchor of record eight.
func tampered(t *testing.T, alter func(lines []string) []string) string {
	t.Helper()
	dir := t.TempDir()
	l := opened(t, dir)
	fill(l, 8)
	anchor, err := l.sync()
	if err != nil {
		t.Fatal(err)
	}
	fill(l, 2)
	if _, err := l.sync(); err != nil {
		t.Fatal(err)
	}
	path := name(dir, 1)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
	if err := os.WriteFile(path, []byte(strings.TrimSuffix(strings.Join(alter(lines), ""), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := verify(t.Context(), dir, anchor, state.Anchor{})
	if err != nil {
		t.Fatal(err)
	}
	return v.Fault
}

// rewritten is the chain from a line on, with hashes that fit.
func rewritten(lines []string, from int) []string {
	before := strings.TrimSpace(strings.TrimPrefix(lines[0], heading))
	for i := 1; i < len(lines); i++ {
		text, hash, _ := strings.Cut(strings.TrimSuffix(lines[i], "\n"), "\t")
		if i >= from {
			hash = link(before, text)
			lines[i] = text + "\t" + hash + "\n"
		}
		before = hash
	}
	return lines
}

func TestWhatWasDoneToTheLogIsNamed(t *testing.T) {
	for rule, c := range map[string]struct {
		alter func([]string) []string
		want  string
	}{
		"an intact log has no fault": {func(l []string) []string { return l }, ""},
		"a flipped letter": {func(l []string) []string {
			l[4] = strings.Replace(l[4], "user/u3", "user/u4", 1)
			return l
		}, "record 4 was altered"},
		"a flipped hash": {func(l []string) []string {
			l[5] = l[5][:len(l[5])-2] + map[bool]string{true: "1", false: "0"}[l[5][len(l[5])-2] == '0'] + "\n"
			return l
		}, "record 5 was altered"},
		"a flipped number":       {func(l []string) []string { l[6] = strings.Replace(l[6], `"seq":6`, `"seq":9`, 1); return l }, "record 6 was altered"},
		"a line that is no JSON": {func(l []string) []string { l[3] = "x" + l[3]; return l }, "record 3 was altered"},
		"a removed record":       {func(l []string) []string { return slices.Delete(l, 4, 5) }, "records 4 to 4 were removed"},
		"the first removed":      {func(l []string) []string { return slices.Delete(l, 1, 3) }, "records 1 to 2 were removed"},
		"two that changed places": {func(l []string) []string {
			l[2], l[3] = l[3], l[2]
			return l
		}, "record 2 was"},
		"the tail cut off": {func(l []string) []string { return l[:6] }, "records 6 to 8 were cut off"},
		"a record put in":  {func(l []string) []string { return slices.Insert(l, 5, l[3]) }, "record 5"},
		"a record put in that fits": {func(l []string) []string {
			for i := len(l) - 1; i >= 5; i-- {
				l[i] = strings.Replace(l[i], fmt.Sprintf(`"seq":%d`, i), fmt.Sprintf(`"seq":%d`, i+1), 1)
			}
			return rewritten(slices.Insert(l, 5, strings.Replace(l[3], `"seq":3`, `"seq":5`, 1)), 5)
		}, "record 8, or one before it, was written anew"},
		"a record altered and the chain made to fit": {func(l []string) []string {
			l[2] = strings.Replace(l[2], "user/u1", "user/u7", 1)
			return rewritten(l, 2)
		}, "record 8, or one before it, was written anew"},
		"a heading altered": {func(l []string) []string { l[0] = heading + "0\n"; return l }, "record 1 was altered"},
		"an empty file":     {func([]string) []string { return nil }, "does not begin as one"},
	} {
		t.Run(rule, func(t *testing.T) {
			got := tampered(t, c.alter)
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("the fault is %q, want %q", got, c.want)
			}
		})
	}
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir)
	fill(l, 4)
	anchor, err := l.sync()
	if err != nil {
		t.Fatal(err)
	}
	path := name(dir, 1)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		b := slices.Clone(whole)
		b[i] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := verify(t.Context(), dir, anchor, state.Anchor{}); err != nil || v.Fault == "" {
			t.Fatalf("byte %d of %d flipped: %+v, %v", i, len(whole), v, err)
		}
	}
}

func TestALogGoesOnAfterACrash(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir)
	fill(l, 3)
	if _, err := l.sync(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name(dir, 1), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"seq":4,"ti`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	again := opened(t, dir)
	fill(again, 2)
	v, err := again.Verify(t.Context())
	if err != nil || v.Fault != "" || v.Last != 5 || v.Records != 5 {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestADamagedEndStopsNobodyAndIsNamed(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir)
	fill(l, 3)
	if _, err := l.sync(); err != nil {
		t.Fatal(err)
	}
	path := name(dir, 1)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[bytes.LastIndexByte(b[:len(b)-1], '\n')+1] = 0
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	again := opened(t, dir)
	fill(again, 2)
	if v, err := again.Verify(t.Context()); err != nil || !strings.Contains(v.Fault, "record 3 was altered") {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestSegmentsFollowOnEachOtherAndOldOnesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var committed state.Anchor
		l, err := Open(Config{
			Dir: dir, Now: time.Now, Anchored: func() (state.Anchor, bool) { return committed, true },
			Anchor: func(_ context.Context, a state.Anchor) error { committed = a; return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		for range segmentsKept + 2 {
			fill(l, 3)
			if err := l.begin(); err != nil {
				t.Fatal(err)
			}
		}
		fill(l, 1)
		ctx, cancel := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { return l.Run(ctx) })
		time.Sleep(2 * anchorEvery)
		synctest.Wait()
		v, err := l.Verify(t.Context())
		if err != nil || v.Fault != "" || committed.First == 0 || v.First != committed.First || committed.Sequence != v.Last {
			t.Errorf("%+v, %v; committed %+v", v, err, committed)
		}
		paths, _ := segments(dir)
		if len(paths) != segmentsKept {
			t.Errorf("%d segments are kept, want %d", len(paths), segmentsKept)
		}
		if err := os.Remove(paths[0]); err != nil {
			t.Fatal(err)
		}
		if v, _ := l.Verify(t.Context()); !strings.Contains(v.Fault, "were removed") {
			t.Errorf("with the oldest segment gone: %q", v.Fault)
		}
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestRecordsAreFoundByTimeCountAndOutcome(t *testing.T) {
	l := opened(t, filepath.Join(t.TempDir(), "audit"))
	fill(l, 5)
	l.Record(operator.AuditRecord{Who: "user/x", Outcome: operator.Refused})
	list := func(q operator.AuditQuery) (seqs []uint64) {
		if err := l.List(t.Context(), q, func(rs []operator.AuditRecord) error {
			for _, r := range rs {
				seqs = append(seqs, r.Sequence)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return seqs
	}
	for rule, c := range map[string]struct {
		q    operator.AuditQuery
		want []uint64
	}{
		"all":           {operator.AuditQuery{}, []uint64{1, 2, 3, 4, 5, 6}},
		"the newest":    {operator.AuditQuery{Last: 2}, []uint64{5, 6}},
		"the refused":   {operator.AuditQuery{Denied: true}, []uint64{6}},
		"in the future": {operator.AuditQuery{Since: time.Now().Add(time.Hour)}, nil},
	} {
		if got := list(c.q); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", rule, got, c.want)
		}
	}
	if info, err := os.Stat(filepath.Dir(name(l.c.Dir, 1))); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, %v", info.Mode(), err)
	}
}
