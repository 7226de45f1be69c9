package program_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/beacon/internal/program"
	"github.com/gantry-orchestrator/gantry/model"
)

// waitFor polls until the last beat ends with a message.
func waitFor(t *testing.T, file, message string) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if beat, err := program.LastBeat(file); err == nil && strings.HasSuffix(beat, message) {
			return beat
		}
	}
	t.Fatalf("no beat says %q", message)
	return ""
}

func TestItBeatsAtOnceReloadsOnHangupAndEndsWithItsContext(t *testing.T) {
	dir := t.TempDir()
	message, beat := filepath.Join(dir, "message"), filepath.Join(dir, "beat")
	if err := os.WriteFile(message, []byte("on station\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- program.Run(ctx, []string{"1h", message, beat}) }()
	waitFor(t, beat, "on station")
	if err := os.WriteFile(message, []byte("fog\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	waitFor(t, beat, "fog")
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestItRefusesArgumentsThatItCannotUse(t *testing.T) {
	for _, args := range [][]string{nil, {"10s", "message"}, {"soon", "message", "beat"}, {"0s", "message", "beat"}} {
		if err := program.Run(t.Context(), args); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestABeatThatIsNotThereIsAnError(t *testing.T) {
	if _, err := program.LastBeat(filepath.Join(t.TempDir(), "beat")); err == nil {
		t.Fatal("no error")
	}
}
