package roles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/cmd/gantry/internal/cli"
	"github.com/gantry-orchestrator/gantry/model"
)

func down(places func() Places) *cobra.Command {
	var destroy, noPrompt bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the machines, the host agent and the controller on this host",
		Long: `Stop the machines, the host agent and the controller on this host. Disks and
state stay, and up carries on with them. With --destroy everything of this
install goes but the cache of package layers, which other installs share.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := places()
			if destroy {
				fmt.Fprintln(cmd.ErrOrStderr(), "will destroy all machines and their disks, and the controller with all models, of", p.State)
			}
			if destroy && !noPrompt {
				if err := cli.Ask(cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
					return err
				}
			}
			began := time.Now()
			if err := runDown(cmd.Context(), p, destroy, cmd.ErrOrStderr()); err != nil {
				return err
			}
			if destroy {
				if _, err := cli.ForgetModel(os.Getenv); err != nil {
					return err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "down: after %.1f s nothing of this install runs\n", time.Since(began).Seconds())
			return nil
		},
	}
	cmd.Flags().BoolVar(&destroy, "destroy", false, "destroy machines, disks and the model's state too")
	cmd.Flags().BoolVarP(&noPrompt, "no-prompt", "y", false, "do not ask; without a terminal nothing is asked")
	return cmd
}

func runDown(ctx context.Context, p Places, destroy bool, warn io.Writer) error {
	install, err := p.loadInstall()
	if errors.Is(err, model.ErrNotFound) && destroy {
		return p.removeEmpty()
	}
	if err != nil {
		return err
	}
	supervisor := supervise.Dial(p.socket())
	answers := true
	for _, role := range []string{"host-agent", "controller"} {
		_, err := supervisor.Stop(ctx, "gantry/"+role)
		switch {
		case errors.Is(err, model.ErrUnavailable):
			answers = false
		case err != nil && !errors.Is(err, model.ErrNotFound):
			return fmt.Errorf("stop the %s: %w", role, err)
		}
	}
	made, err := openProvider(ctx, p, install, logger("down"), nil)
	if err != nil {
		return err
	}
	if destroy {
		err = made.Purge(ctx)
	} else {
		err = made.Down(ctx)
	}
	if err != nil {
		return fmt.Errorf("end the machines: %w", err)
	}
	if answers {
		if err := stopSupervisor(ctx, p); err != nil {
			return err
		}
	}
	if !destroy {
		return nil
	}
	stays, err := p.remove()
	if len(stays) > 0 {
		fmt.Fprintf(warn, "down: %s stays: it holds %s, which is not of the install\n", p.State, some(stays))
	}
	return err
}

// stopSupervisor ends this host's supervisor, which by now has nothing to
// supervise, and waits until it answers no more.
func stopSupervisor(ctx context.Context, p Places) error {
	pid, err := listenerPID(ctx, p.socket())
	if err != nil {
		return fmt.Errorf("stop the supervisor: %w", err)
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop the supervisor: %w", err)
	}
	return poll(ctx, 30*time.Second, "the supervisor to end", func(ctx context.Context) error {
		if _, err := listenerPID(ctx, p.socket()); err == nil {
			return errors.New("it still answers")
		}
		return nil
	})
}

// listenerPID is the process that listens at a socket, as the kernel knows it.
func listenerPID(ctx context.Context, socket string) (int, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		peer, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || failed != nil {
		return 0, errors.Join(err, failed)
	}
	return int(peer.Pid), nil
}
