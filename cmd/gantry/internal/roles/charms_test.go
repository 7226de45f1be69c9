package roles

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/controller"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// An agent tells its units where their charm's program is as soon as it has
// their intent, and fetches the charm when it first asks it.
func TestTheProgramOfAnUploadedCharmIsKnownBeforeItIsFetched(t *testing.T) {
	c := &charmHost{dir: t.TempDir()}
	got := c.program(effect.Charm{Name: "hello", Revision: "5d904e79"})
	if want := []string{c.dir + "/5d904e79/charm", "run"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAPlanAsksAnUploadedCharmByItsArchive(t *testing.T) {
	c := controller.Config{Dir: filepath.Join(t.TempDir(), "controller")}
	if err := os.MkdirAll(filepath.Join(c.Dir, "charms"), 0o700); err != nil {
		t.Fatal(err)
	}
	archive, err := os.Create(filepath.Join(c.Dir, "charms", "5d904e79.charm"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	z := zip.NewWriter(archive)
	program, err := z.Create("charm")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := program.Write([]byte("a program")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	planned, err := openPlanCharms(c)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it is there already
		command, err := planned.resolve(effect.Charm{Name: "hello", Revision: "5d904e79"})
		if err != nil || len(command) != 1 {
			t.Fatalf("%q, %v", command, err)
		}
		if b, err := os.ReadFile(command[0]); err != nil || string(b) != "a program" {
			t.Fatalf("%s holds %q, %v", command[0], b, err)
		}
	}
	if entries, err := os.ReadDir(planned.programs); err != nil || len(entries) != 1 {
		t.Errorf("it left %v, %v", entries, err)
	}
}
