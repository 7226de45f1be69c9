package journal_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/agents/agent/internal/journal"
	"github.com/gantry-orchestrator/gantry/model"
)

func open(t *testing.T, path string) (*journal.File, []string) {
	t.Helper()
	j, records, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, words(records)
}

func words(records [][]byte) []string {
	var out []string
	for _, r := range records {
		out = append(out, string(r))
	}
	return out
}

func TestRecordsComeBackInOrderAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "unit", "j")
	j, _ := open(t, path)
	if err := j.Append([]byte(`{"a":1}`), []byte(`{"b":2}`)); err != nil {
		t.Fatal(err)
	}
	if _, got := open(t, path); !cmp.Equal(got, []string{`{"a":1}`, `{"b":2}`}) {
		t.Errorf("records = %q", got)
	}
}

func TestCompactingReplacesAllRecordsAndKeepsAppending(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path)
	for range 10 {
		if err := j.Append([]byte("old")); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Compact([]byte("snapshot")); err != nil {
		t.Fatal(err)
	}
	if err := j.Append([]byte("after")); err != nil {
		t.Fatal(err)
	}
	if _, got := open(t, path); !cmp.Equal(got, []string{"snapshot", "after"}) {
		t.Errorf("records = %q", got)
	}
}

func TestDamageBeforeTheTailIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, _ := open(t, path)
	if err := j.Append([]byte("first"), []byte("second")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[10] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := journal.Open(path); !errors.Is(err, model.ErrConflict) {
		t.Errorf("open of a damaged journal: %v, want a conflict", err)
	}
}

// A journal that is cut at any byte gives a prefix of its records, and takes
// new ones.
func TestATornTailLosesOnlyItself(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "torn")
		_ = os.Remove(path)
		wrote := rapid.SliceOfN(rapid.StringMatching(`[a-z ]{0,12}`), 1, 6).Draw(t, "records")
		j, _, err := journal.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wrote {
			if err := j.Append([]byte(w)); err != nil {
				t.Fatal(err)
			}
		}
		cut := rapid.Int64Range(0, j.Size()).Draw(t, "cut")
		if err := errors.Join(j.Close(), os.Truncate(path, cut)); err != nil {
			t.Fatal(err)
		}
		again, records, err := journal.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		got := words(records)
		if len(got) > len(wrote) || !cmp.Equal(got, append([]string(nil), wrote[:len(got)]...)) {
			t.Fatalf("records %q are no prefix of %q", got, wrote)
		}
		if err := errors.Join(again.Append([]byte("next")), again.Close()); err != nil {
			t.Fatal(err)
		}
		last, records, err := journal.Open(path)
		if err != nil || len(records) != len(got)+1 {
			t.Fatalf("after the repair: %q, %v", words(records), err)
		}
		_ = last.Close()
	})
}
