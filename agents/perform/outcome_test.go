package perform_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/model"
)

// doomedRun, where it is set, makes this process an agent that runs a command
// for the outcome that it names, and is killed meanwhile.
const doomedRun = "GANTRY_TEST_DOOMED_RUN"

func TestARunLeavesItsOutcomeThoughItsAgentIsKilled(t *testing.T) {
	if dir := os.Getenv(doomedRun); dir != "" {
		_, err := perform.Command{
			Argv: []string{"sh", "-c", `echo began > "$0/../began"; while [ ! -e "$0/../go" ]; do sleep 0.02; done; echo result; exit 7`, dir},
			Keep: &perform.Outcome{Dir: dir},
		}.Run(t.Context())
		t.Fatalf("the agent was to be killed: %v", err)
	}
	top := t.TempDir()
	kept := perform.Outcome{Dir: filepath.Join(top, "kept")}
	doomed := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	doomed.Env = append(os.Environ(), doomedRun+"="+kept.Dir)
	if err := doomed.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(top, "began")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the run does not begin")
		}
	}
	if err := doomed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = doomed.Wait()
	if err := kept.Clear(); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("forget the outcome of a run that goes on: %v", err)
	}
	if err := os.WriteFile(filepath.Join(top, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, output, left, err := kept.Await(t.Context())
	if code != 7 || output != "result\n" || !left || err != nil {
		t.Errorf("code %d, output %q, left %t, %v", code, output, left, err)
	}
	if err := kept.Clear(); err != nil {
		t.Error(err)
	}
	if _, _, left, err := kept.Await(t.Context()); left || err != nil {
		t.Errorf("after it was forgotten: left %t, %v", left, err)
	}
}

func TestARunThatWasKilledLeavesNoOutcome(t *testing.T) {
	kept := perform.Outcome{Dir: filepath.Join(t.TempDir(), "kept")}
	out, err := perform.Command{Argv: []string{"sh", "-c", "echo said; kill -9 $PPID; sleep 0.1"}, Keep: &kept}.Run(t.Context())
	if err != nil || out.Code != -1 {
		t.Errorf("code %d, %v", out.Code, err)
	}
	if code, output, left, err := kept.Await(t.Context()); left || err != nil {
		t.Errorf("code %d, output %q, %v", code, output, err)
	}
}

func TestARunThatLeavesItsOutcomeIsLikeAnother(t *testing.T) {
	kept := perform.Outcome{Dir: filepath.Join(t.TempDir(), "kept")}
	command := perform.Command{
		Argv: []string{"sh", "-c", `echo "$GREETING $(cat)"; echo oops >&2; sleep 1 & exit 3`}, Env: map[string]string{"GREETING": "hello"},
		Stdin: []byte("there"), Keep: &kept,
	}
	out, err := command.Run(t.Context())
	if err != nil || out.Code != 3 || out.Stdout != "hello there\n" || out.Stderr != "oops\n" {
		t.Errorf("output %+v, %v", out, err)
	}
	if err := kept.Clear(); err != nil { // what it left in the background holds nothing
		t.Error(err)
	}
	command.Argv = []string{"no-such-program"}
	if _, err := command.Run(t.Context()); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("a program that does not exist: %v", err)
	}
}

func TestAProcessOfAnotherRunnerLeavesItsOutcomeToo(t *testing.T) {
	kept := perform.Outcome{Dir: filepath.Join(t.TempDir(), "kept")}
	var stderr strings.Builder
	cmd := exec.Command("sh", "-c", `cat; echo oops >&2; exit "$1"`, "sh", "0")
	cmd.Stdin, cmd.Stderr = strings.NewReader("{}"), &stderr
	out, err := kept.Output(cmd)
	if err != nil || string(out) != "{}" || stderr.String() != "oops\n" {
		t.Errorf("printed %q and %q, %v", out, stderr.String(), err)
	}
	if code, output, left, err := kept.Await(t.Context()); code != 0 || output != "{}" || !left || err != nil {
		t.Errorf("left %t: code %d, output %q, %v", left, code, output, err)
	}
}
