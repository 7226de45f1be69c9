package sandbox

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
)

func TestOnlyALayerThatNobodyUsedForLongIsCollected(t *testing.T) {
	m := images{cache: t.TempDir(), log: slog.New(slog.DiscardHandler)}
	now := time.Now()
	machine := filepath.Join(t.TempDir(), "machine")
	if err := os.Mkdir(machine, 0o700); err != nil {
		t.Fatal(err)
	}
	layer := func(name string, users ...string) string {
		dir := filepath.Join(m.layers(), name)
		if err := os.MkdirAll(filepath.Join(dir, "root/etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			if used, err := m.use(t.Context(), dir, u); !used || err != nil {
				t.Fatalf("use layer %s: %t, %v", name, used, err)
			}
		}
		return dir
	}
	gone := filepath.Join(machine, "gone")
	used, left, old, busy := layer("used", gone, machine), layer("left", gone), layer("older-gantry"), layer("busy", gone)
	lock, err := store.LockFile(t.Context(), m.lockOf(busy))
	if err != nil {
		t.Fatal(err)
	}
	collect := func(after time.Duration, want ...string) {
		t.Helper()
		if err := m.collect(now.Add(after)); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{used, left, old, busy} {
			_, err := os.Stat(dir)
			there := err == nil
			wanted := false
			for _, w := range want {
				wanted = wanted || w == dir
			}
			if there != wanted {
				t.Errorf("after %v: %s is there: %t", after, filepath.Base(dir), there)
			}
		}
	}
	collect(time.Hour, used, left, old, busy)
	collect(2*layerAge, used, old, busy)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	collect(2*layerAge, used, old)
	if err := os.Remove(machine); err != nil {
		t.Fatal(err)
	}
	collect(layerAge/2, used, old)
	collect(2*layerAge, old)
	if used, err := m.use(t.Context(), left, machine); used || err != nil {
		t.Errorf("a layer that is gone was used: %t, %v", used, err)
	}
}

func TestALayerDoesForTheVersionsThatItHolds(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg"), 0o755); err != nil {
		t.Fatal(err)
	}
	status := "Package: pg\nStatus: install ok installed\nVersion: 1:15.1-2\n\nPackage: libpq\nVersion: 15\nDescription: a\n Version: 3\n"
	if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg/status"), []byte(status), 0o600); err != nil {
		t.Fatal(err)
	}
	for wanted, want := range map[string]bool{"pg": true, "pg=1:15.1-2": true, "pg=15.1-2": false, "psql": false, "libpq=15": true} {
		if got := holds(root, []string{wanted}); got != want {
			t.Errorf("%s: %t", wanted, got)
		}
	}
}
