package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// jar is software of one file with this content.
func jar(name, content string) effect.Software {
	sum := sha256.Sum256([]byte(content))
	return effect.Software{Name: name, Version: "1", Jars: []software.Jar{{Coordinates: "g:" + name + ":1", SHA256: hex.EncodeToString(sum[:])}}}
}

func TestSoftwareIsFetchedOnceForAllMachinesOfAHost(t *testing.T) {
	runs := 0
	m := images{
		cache: t.TempDir(), log: slog.New(slog.DiscardHandler), progress: func(provider.Progress) {},
		maven: func(_ context.Context, dir string, _ ...string) error {
			runs++
			pom, err := os.ReadFile(filepath.Join(dir, "pom.xml"))
			if err != nil || strings.Contains(string(pom), "absent") {
				return errors.Join(err, errors.New("not in the repository"))
			}
			_, rest, _ := strings.Cut(string(pom), "<outputDirectory>")
			into, _, _ := strings.Cut(rest, "</outputDirectory>")
			return os.WriteFile(filepath.Join(into, "kafka-1.jar"), []byte("kafka"), 0o644)
		},
	}
	wanted := []effect.Software{jar("absent", "x"), jar("kafka", "kafka")}
	var first []string
	for i, machine := range []string{"a", "b"} {
		layers, err := m.software(t.Context(), wanted, filepath.Join(t.TempDir(), machine))
		if err != nil || len(layers) != 1 {
			t.Fatalf("machine %s: %v, %v", machine, layers, err)
		}
		if i == 0 {
			first = layers
		}
		if !slices.Equal(layers, first) {
			t.Errorf("machine %s stands on %v", machine, layers)
		}
	}
	if runs != 3 { // twice for what is not to be had
		t.Errorf("Maven was run %d times", runs)
	}
	path := filepath.Join(first[0], depot.Place, wanted[1].Directory(), software.Libs, "kafka-1.jar")
	if b, err := os.ReadFile(path); err != nil || string(b) != "kafka" {
		t.Errorf("%q, %v", b, err)
	}
	users, err := os.ReadDir(filepath.Join(filepath.Dir(first[0]), usersDir))
	if err != nil || len(users) != 2 {
		t.Errorf("users of the layer: %v, %v", users, err)
	}
}
