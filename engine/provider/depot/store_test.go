package depot_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// repository is a Maven repository and its client: content by coordinates.
type repository struct {
	content map[string]string
	asked   []string
	fails   int // after so many files of a run
}

// pom is what the client reads of the project that it is run in.
type pom struct {
	Items []struct {
		Group    string `xml:"groupId"`
		Artifact string `xml:"artifactId"`
		Version  string `xml:"version"`
		Class    string `xml:"classifier"`
		File     string `xml:"destFileName"`
	} `xml:"build>plugins>plugin>configuration>artifactItems>artifactItem"`
	Into string `xml:"build>plugins>plugin>configuration>outputDirectory"`
}

func (r *repository) run(_ context.Context, dir string, _ ...string) error {
	b, err := os.ReadFile(filepath.Join(dir, "pom.xml"))
	if err != nil {
		return err
	}
	var p pom
	if err := xml.Unmarshal(b, &p); err != nil {
		return err
	}
	for n, i := range p.Items {
		if r.fails > 0 && n == r.fails {
			return errors.New("connection reset")
		}
		at := strings.TrimSuffix(strings.Join([]string{i.Group, i.Artifact, i.Version, i.Class}, ":"), ":")
		r.asked = append(r.asked, at)
		if err := os.WriteFile(filepath.Join(p.Into, i.File), []byte(r.content[at]), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func jars(r *repository) effect.Software {
	s := effect.Software{ID: "software/app", Name: "app", Version: "1"}
	for _, at := range []string{"a:main:1", "b:helper:2:linux"} {
		s.Jars = append(s.Jars, software.Jar{Coordinates: at, SHA256: hashOf(r.content[at])})
	}
	return s
}

func open(t *testing.T) (depot.Depot, *repository) {
	r := &repository{content: map[string]string{"a:main:1": "main", "b:helper:2:linux": "helper"}}
	return depot.Depot{Root: filepath.Join(t.TempDir(), "software"), Maven: r.run}, r
}

func TestJarsAreFetchedOnceAndLieReadOnlyInLibs(t *testing.T) {
	s, r := open(t)
	w := jars(r)
	for range 2 {
		if err := s.Put(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.asked) != 2 || !s.Has(w.Directory()) {
		t.Errorf("asked for %v", r.asked)
	}
	path := filepath.Join(s.Root, w.Directory(), "libs", "helper-2-linux.jar")
	b, err := os.ReadFile(path)
	info, _ := os.Stat(path)
	if err != nil || string(b) != "helper" || info.Mode().Perm() != 0o444 {
		t.Errorf("%q %v %v", b, info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Root, ".maven")); len(left) != 0 {
		t.Errorf("Maven's cache is left: %v", left)
	}
}

func TestAFileThatIsNotAsTheLockSaysNeverComesIntoPlace(t *testing.T) {
	s, r := open(t)
	w := jars(r)
	r.content["b:helper:2:linux"] = "something else"
	err := s.Put(t.Context(), w)
	if !errors.Is(err, model.ErrConflict) {
		t.Fatal(err)
	}
	for _, said := range []string{"helper-2-linux.jar (b:helper:2:linux)", "wanted sha256 " + hashOf("helper"), "found " + hashOf("something else")} {
		if !strings.Contains(err.Error(), said) {
			t.Errorf("%v: it does not say %q", err, said)
		}
	}
	if s.Has(w.Directory()) {
		t.Error("it is in place")
	}
	r.content["b:helper:2:linux"], r.asked = "helper", nil
	if err := s.Put(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if len(r.asked) != 1 {
		t.Errorf("asked again for %v, though one file was right", r.asked)
	}
}

func TestAFetchThatWasInterruptedGoesOnWhereItWas(t *testing.T) {
	s, r := open(t)
	w := jars(r)
	r.fails = 1
	if err := s.Put(t.Context(), w); err == nil || s.Has(w.Directory()) {
		t.Fatalf("%v", err)
	}
	r.fails, r.asked = 0, nil
	if err := s.Put(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if len(r.asked) != 1 || r.asked[0] != "b:helper:2:linux" {
		t.Errorf("asked for %v", r.asked)
	}
}

func TestWhatWasChangedInPlaceIsMadeGood(t *testing.T) {
	s, r := open(t)
	w := jars(r)
	if err := s.Put(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	libs := filepath.Join(s.Root, w.Directory(), "libs")
	main := filepath.Join(libs, "main-1.jar")
	for _, err := range []error{os.Remove(main), os.WriteFile(main, []byte("planted"), 0o644), os.WriteFile(filepath.Join(libs, "extra.jar"), nil, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(libs)
	if b, _ := os.ReadFile(main); string(b) != "main" || len(entries) != 2 {
		t.Errorf("main is %q among %v", b, entries)
	}
}

func TestMavensCacheStaysWhereItHasAPlaceWithoutWhatWasCopied(t *testing.T) {
	s, r := open(t)
	s.Cache = filepath.Join(t.TempDir(), "maven")
	copied, own := filepath.Join(s.Cache, "repository/a/main/1/main-1.jar"), filepath.Join(s.Cache, "repository/org/plugin/1/plugin-1.jar")
	for _, path := range []string{copied, own} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), jars(r)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(copied); !os.IsNotExist(err) {
		t.Errorf("what was copied is kept twice: %v", err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Error(err)
	}
}

func TestRemovedSoftwareLeavesNothing(t *testing.T) {
	s, r := open(t)
	w, other := jars(r), jars(r)
	other.Version = "2"
	for _, w := range []effect.Software{w, other} {
		if err := s.Put(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.Remove(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	if s.Has(w.Directory()) || !s.Has(other.Directory()) {
		t.Error("the wrong one is gone")
	}
	if err := s.Remove(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Root); !os.IsNotExist(err) {
		t.Errorf("the root is left: %v", err)
	}
}
