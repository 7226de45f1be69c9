package solver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutations are mistakes that somebody could make. Each is planted into a copy
// of the sources, so that the real ones know nothing of it.
var mutations = []struct {
	mistake  string
	file     string // from this folder
	old, new string
}{
	{
		"a lease moves while its holder is heard", "lease.go",
		"	case u.Life == model.Alive:\n		return true\n", "	case u.Life == model.Alive && u.Name.Number > 0:\n		return true\n",
	},
	{
		"a lease stays with a holder that is not heard", "lease.go",
		"!ok || p.seen.Silent(state.MachineRef{Model: u.Model, Machine: u.Machine})", "!ok",
	},
	{
		"a lease moves before its holder knows that it leaves", "lease.go",
		"return u.Life == model.Dying && p.started(u)", "return false && p.started(u)",
	},
	{
		"a turn is granted before all have answered", "turn.go",
		"ready := !failed && p.answered(units)", "ready := !failed",
	},
	{
		"a turn is granted though a unit is unwell", "turn.go",
		"len(disrupted) > limit {", "len(disrupted) > limit+1 {",
	},
	{
		"a unit is torn down before others know", "departure.go",
		"if !p.settledSince(v, u.Turned) {", "if !p.settledSince(v, 0) {",
	},
	{
		"a tombstone goes before others saw it", "departure.go",
		"p.started(v) && !p.settledSince(v, u.Turned)", "p.started(v) && !p.settledSince(v, 0)",
	},
	{
		"a generation forgets the machines of remote units", "intent.go",
		"			other.newest = max(other.newest, m.ModifyIndex)\n", "",
	},
	{
		"a bag does not reach the other end", "affected.go",
		"case tables.Relation, tables.Bag:", "case tables.Relation:",
	},
	{
		"what an intent was known by outlives a change of it", "marks.go",
		"		delete(m.known, u)\n", "		_ = u\n",
	},
	{
		"a serial forgets the lease", "intent.go",
		"		w.saw(l.Stamp)\n", "",
	},
	{
		"an order goes on before all saw its stage", "order.go",
		"r.Serial < o.ModifyIndex || r.Reached != o.StageName()", "r.Reached == \"\"",
	},
	{
		"a principal that has its subordinate is given another", "subordinate.go",
		"if sub.Name.Application == by {", "if sub.Name.Application != by {",
	},
	{
		"a machine with units on it counts as vacant", "../state/machine.go",
		"if m.Used || m.Life != model.Alive {", "if m.Life != model.Alive {",
	},
	{
		"a forgotten unit does not raise the generation of those that saw it", "../state/apply_advance.go",
		"w.renewAround(u.Ref().Application())", "",
	},
	{
		"a refused command leaves its first steps behind", "../state/writer.go",
		"		w.undo[i]()\n", "		_ = w.undo[i]\n",
	},
	{
		"an index misses rows that a snapshot brought back", "../state/table.go",
		"t.by[i].txn().Insert(append(key, at...), at)", "if t.rows.done.Len() > 0 {\n\t\t\tt.by[i].txn().Insert(append(key, at...), at)\n\t\t}",
	},
}

func TestThePropertiesCatchEveryPlantedMutation(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the package once for each mutation")
	}
	root := copied(t)
	for _, m := range mutations {
		t.Run(m.mistake, func(t *testing.T) {
			plant(t, filepath.Join(root, "engine", "solver", m.file), m.old, m.new)
			cmd := exec.Command("go", "test", "-trimpath", "-vet=off", "-failfast", "-run", "^TestProperty", "./engine/solver",
				"-rapid.nofailfile", "-rapid.shrinktime=0s", "-rapid.checks=300")
			cmd.Dir = root
			out, err := cmd.CombinedOutput()
			switch {
			case err == nil:
				t.Error("no property noticed it")
			case !strings.Contains(string(out), "--- FAIL: TestProperty"):
				t.Errorf("it failed otherwise than by a property:\n%s", out)
			}
		})
	}
}

// copied returns the root of a copy of what the solver is made of.
func copied(t *testing.T) string {
	t.Helper()
	const root = "../.."
	to := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"model", "engine/state", "engine/placement", "engine/solver"} {
		if err := os.CopyFS(filepath.Join(to, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// plant writes the mistake into a file until the test ends.
func plant(t *testing.T, file, old, mistaken string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), old); n != 1 {
		t.Fatalf("%s has %d places to plant the mistake in, want 1: the table of mutations is out of date", filepath.Base(file), n)
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	write(strings.Replace(string(source), old, mistaken, 1))
	t.Cleanup(func() { write(string(source)) })
}
