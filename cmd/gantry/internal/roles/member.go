package roles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller"
	"github.com/gantry-orchestrator/gantry/model"
)

// memberOptions are of a controller on a machine, as its charm starts it.
type memberOptions struct {
	dir      string
	root     string
	listen   string
	roleFile string
	health   string
	await    bool
	leave    bool
}

func (o *memberOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.dir, "member", "", "join the controllers that there are, with the state in this directory")
	cmd.Flags().StringVar(&o.root, "root", "/", "root directory of the machine that it runs on")
	cmd.Flags().StringVar(&o.listen, "listen", "", "host:port where the others reach it")
	cmd.Flags().StringVar(&o.health, "health", "127.0.0.1:17181", "host:port, of this machine alone, of /healthz and /readyz")
	cmd.Flags().StringVar(&o.roleFile, "role-file", "", "file that says what it is among the others")
	cmd.Flags().BoolVar(&o.await, "await", false, "only wait until it takes part")
	cmd.Flags().BoolVar(&o.leave, "leave", false, "only end its membership")
}

func (o *memberOptions) run(ctx context.Context) error {
	switch {
	case o.await:
		return o.takesPart(ctx)
	case o.leave:
		return controller.Leave(ctx, o.dir, o.machine)
	}
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	return control(ctx, filepath.Join(filepath.Dir(o.roleFile), "charms"), controller.Config{
		Dir: o.dir, Listen: o.listen, Advertise: []string{o.listen}, Machine: o.machine, RoleFile: o.roleFile,
		Health: o.health,
	})
}

// machine is the identity of the agent of the machine.
func (o *memberOptions) machine() (client.Context, error) {
	at := place{root: o.root}
	c, err := client.Load(at.identityFile())
	if err != nil {
		return c, err
	}
	start, err := readStart(at)
	if err != nil {
		return c, err
	}
	c.Addresses = start.Addresses
	return c, nil
}

// takesPart waits until the controller says that it has a vote.
func (o *memberOptions) takesPart(ctx context.Context) error {
	for {
		b, err := os.ReadFile(o.roleFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if slices.Contains([]string{"leader", "follower"}, string(b)) {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the controller is %q: see its log: %w", b, model.ErrUnavailable)
		}
	}
}
