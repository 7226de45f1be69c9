package roles

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/history"
)

const (
	backendCommand = "history-backend"
	siblingLimit   = 5 * time.Second
)

// backend is how a binary says what it keeps history in, and of which build
// it is.
func backend() *cobra.Command {
	return &cobra.Command{
		Use: backendCommand, Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), identify(history.Backend))
			return err
		},
	}
}

// identify is this build with a backend.
func identify(backend string) string {
	words := []string{backend, Version}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
				words = append(words, s.Value)
			}
		}
	}
	return strings.Join(words, " ")
}

// replicated finds the binary beside this one whose history is replicated, and
// makes sure that it runs on this host and is of the same build. Without one
// it says why.
func replicated(ctx context.Context) (binary string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	if history.Backend == "dqlite" {
		return self, nil
	}
	binary = filepath.Join(filepath.Dir(self), filepath.Base(self)+"-dqlite")
	if _, err := os.Stat(binary); err != nil {
		return "", fmt.Errorf("there is no %s", binary)
	}
	ctx, cancel := context.WithTimeout(ctx, siblingLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, backendCommand).CombinedOutput()
	said := strings.TrimSpace(string(out))
	switch {
	case err != nil:
		return "", fmt.Errorf("%s does not run here (%w): %s", binary, err, said)
	case said != identify("dqlite"):
		return "", fmt.Errorf("%s is of another build (%s): run make build", binary, said)
	}
	return binary, nil
}

// become carries on as the binary whose history is replicated, where there is
// one: it returns only where there is none.
func become(ctx context.Context) error {
	if history.Backend == "dqlite" {
		return nil
	}
	binary, err := replicated(ctx)
	if err != nil {
		return nil // this one keeps it in a file
	}
	return syscall.Exec(binary, os.Args, os.Environ()) // who looks at processes still finds gantry
}

// historyIn says what the controller will keep history in.
func historyIn(ctx context.Context) string {
	binary, err := replicated(ctx)
	if err != nil {
		return fmt.Sprintf("history in a file of the controller: %v", err)
	}
	return "history replicated by dqlite: the controller runs " + binary
}
