package perform_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

func TestSoftwareIsInstalledAndStaysForAsLongAsAUnitOfTheMachineUsesIt(t *testing.T) {
	runs := 0
	maven := func(_ context.Context, dir string, _ ...string) error {
		runs++
		pom, err := os.ReadFile(filepath.Join(dir, "pom.xml"))
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(pom), "<outputDirectory>")
		into, _, _ := strings.Cut(rest, "</outputDirectory>")
		return os.WriteFile(filepath.Join(into, "app-1.jar"), []byte("app"), 0o644)
	}
	sum := sha256.Sum256([]byte("app"))
	w := effect.Software{ID: "software/app", Name: "app", Version: "1", Jars: []software.Jar{{Coordinates: "g:app:1", SHA256: hex.EncodeToString(sum[:])}}}
	used := true
	m := perform.Machine{
		Software: depot.Depot{Root: filepath.Join(t.TempDir(), "software"), Maven: maven},
		Uses:     func(directory string) bool { return used && directory == w.Directory() },
	}
	do := func(kind effect.StepKind) {
		t.Helper()
		step := effect.Step{Kind: kind, ID: w.ID, Effect: effect.Effect{Software: &w}}
		former, err := m.Former(t.Context(), step)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Do(t.Context(), step, former); err != nil {
			t.Fatal(err)
		}
	}
	do(effect.Install)
	do(effect.Install)
	if runs != 1 || !m.Software.Has(w.Directory()) {
		t.Errorf("Maven was run %d times", runs)
	}
	do(effect.Remove)
	if !m.Software.Has(w.Directory()) {
		t.Error("another unit's software is gone")
	}
	used = false
	do(effect.Remove)
	if m.Software.Has(w.Directory()) {
		t.Error("software that nobody uses is left")
	}
}
