package scaffold_test

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/sdk/scaffold"
	_ "github.com/gantry-orchestrator/gantry/charms/sdk/sdktest" // so that a cached result is of the code that a new charm builds with
)

// root is the module's.
const root = "../../.."

func TestANewCharmBuildsAndPassesItsTests(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hello-world")
	if _, err := scaffold.Init(dir, "hello-world", checkout(t)); err != nil {
		t.Fatal(err)
	}
	requireAsHere(t, dir)
	for _, args := range [][]string{{"build", "-o", "charm", "."}, {"vet", "."}, {"test", ".", "-rapid.checks=10"}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// checkout is the module that is being tested.
func checkout(t *testing.T) string {
	t.Helper()
	ours, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	return ours
}

// requireAsHere gives a charm the versions that this module requires, as
// go mod tidy would from the network.
func requireAsHere(t *testing.T, dir string) {
	t.Helper()
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	requires := string(mod)[strings.Index(string(mod), "require ("):]
	head, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(head) + "\n" + requires[:strings.Index(requires, "\n)")+2] + "\n"
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestInitOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "charm.go")
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := scaffold.Init(dir, "hello", ""); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Fatalf("got %v", err)
	}
	if b, _ := os.ReadFile(mine); string(b) != "mine" {
		t.Fatalf("it wrote over the file: %s", b)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Fatalf("it wrote beside the file: %v", entries)
	}
}

func TestTheTutorialShowsTheCodeThatInitWrites(t *testing.T) {
	dir := t.TempDir()
	if _, err := scaffold.Init(dir, "hello", ""); err != nil {
		t.Fatal(err)
	}
	tutorial, err := os.ReadFile(filepath.Join(root, "docs/tutorial-charm.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"charm.yaml", "charm.go"} {
		code, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(tutorial), string(code)) {
			t.Errorf("docs/tutorial-charm.md does not show %s as it is", file)
		}
		if formatted, err := format.Source(code); strings.HasSuffix(file, ".go") && (err != nil || string(formatted) != string(code)) {
			t.Errorf("%s is not as gofmt writes it: %v", file, err)
		}
	}
}
