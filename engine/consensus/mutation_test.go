package consensus

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutations are mistakes that somebody could make, here or below. Each is
// planted over the sources as the compiler sees them, so that the real ones
// know nothing of it, and the simulation must find it.
var mutations = []struct {
	mistake  string
	file     string // from this folder
	old, new string
}{
	{
		"entries are acknowledged before they are synced", "sim_disk_test.go",
		"	for _, w := range f.pending {\n		f.durable = patched(f.durable, w.at, w.data)\n	}\n	f.pending, f.linked = nil, true\n", "	f.linked = true\n",
	},
	{
		"a failed write of the log is passed over", "disk.go",
		`return d.checked("write the log", err)`, "_ = err\n	return nil",
	},
	{
		"a vote is not kept", "disk.go",
		`return d.checked("keep a vote", d.stable.Set(key, value))`, "return nil",
	},
	{
		"a read asks no majority", "read.go",
		"err := n.confirm(ctx)", "var err error\n			if !n.Leading() {\n				err = errNotLeader\n			}",
	},
	{
		"a new leader answers before it has applied what was committed", "node.go",
		"n.settle(n.raft.Barrier(0))", "error(nil)",
	},
	{
		"a member gets a vote before it has caught up", "members.go",
		"if err := n.caughtUp(ctx, held, id); err != nil {", "if err := error(nil); err != nil {",
	},
	{
		"a snapshot that was overtaken is installed", "relay.go",
		"	if s.LastLogIndex <= r.AppliedIndex() {\n		return true\n	}\n	var held raft.Log\n	return log.GetLog(s.LastLogIndex, &held) == nil && held.Term == s.LastLogTerm\n", "	return false\n",
	},
	{
		"what was heard before a read confirms it", "read.go",
		"c.term == held.term && c.round >= round", "c.term == held.term && c.round >= round-round",
	},
	{
		"a claim asks for no leadership", "../state/apply_agent.go",
		"	if err := w.leads(u, o.Token); err != nil {\n		return err\n	}\n	if old, exists := w.Claim(", "	if old, exists := w.Claim(",
	},
	{
		"a claim is closed by any token", "../state/apply_agent.go",
		"case c.Token != o.Token || c.Unit != o.Unit:", "case c.Unit != o.Unit:",
	},
	{
		"a retry is a new command", "../state/apply.go",
		"if a, ok := w.answers.find(answerKey(c.Key)); ok {", "if a, ok := w.answers.find(answerKey(c.Key)); ok && w.head.Index%2 == 0 {",
	},
	{
		"a snapshot lacks a table", "machine.go",
		"	m.current.Store(&restored)\n", "	restored = state.Empty()\n	m.current.Store(&restored)\n",
	},
	{
		"a log whose end was cut off is not read again", "renew.go",
		"if info.IndexStart == 0 {", "if info.BaseIndex == 0 {",
	},
}

func TestTheSimulationFindsEveryPlantedMistake(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the package once for each mistake")
	}
	for _, m := range mutations {
		t.Run(m.mistake, func(t *testing.T) {
			binary := planted(t, m.file, m.old, m.new)
			out, err := exec.Command(binary, "-test.run=^TestSimulateControllers$", "-seeds=150", "-test.timeout=5m").CombinedOutput()
			if err == nil {
				t.Fatal("150 seeds did not find it")
			}
			for line := range strings.Lines(string(out)) {
				if strings.Contains(line, ": seed ") || strings.HasPrefix(line, "panic:") {
					t.Log(strings.TrimSpace(line))
					return
				}
			}
			t.Errorf("it failed otherwise than by a seed:\n%.2000s", out)
		})
	}
}

// planted compiles the tests with a mistake in one file.
func planted(t *testing.T, file, old, mistaken string) string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), old); n != 1 {
		t.Fatalf("%s has %d places to plant the mistake in, want 1: the table of mutations is out of date", file, n)
	}
	dir := t.TempDir()
	changed, overlay, binary := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "planted.test")
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{changed: []byte(strings.Replace(string(source), old, mistaken, 1)), overlay: text} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}
