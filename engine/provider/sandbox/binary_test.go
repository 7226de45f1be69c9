package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider"
)

func TestMachinesSeeTheReplicatedBinaryWhereTheHostHasIt(t *testing.T) {
	dir := t.TempDir()
	host := filepath.Join(dir, "gantry-of-the-host")
	p := &Provider{cfg: provider.Config{StateDir: filepath.Join(dir, "state"), Binary: host}}
	sibling := filepath.Join(p.binaryDir(), "gantry-dqlite")
	write := func(file, content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	place := func() {
		t.Helper()
		if err := p.installBinary(); err != nil {
			t.Fatal(err)
		}
	}

	write(host, "static")
	place()
	if _, err := os.Stat(sibling); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a sibling that the host does not have: %v", err)
	}
	write(host+"-dqlite", "linked")
	place()
	if b, err := os.ReadFile(sibling); err != nil || string(b) != "linked" {
		t.Errorf("the sibling is %q, %v", b, err)
	}
	if info, err := os.Stat(sibling); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the sibling: %v, %v", info.Mode(), err)
	}
	if err := os.Remove(host + "-dqlite"); err != nil {
		t.Fatal(err)
	}
	place()
	if _, err := os.Stat(sibling); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a sibling of another build stayed: %v", err)
	}
}
