package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
	"github.com/gantry-orchestrator/gantry/model"
)

// execOrders is a command for a running machine.
type execOrders struct {
	Machine process.Identity
	Groups  []string // that the command joins
	Lobby   []string // that its parent, outside of the machine, waits in
	Argv    []string
}

// Exec implements provider.Execer. The command is in the machine's control
// groups, and dies with it.
func (p *Provider) Exec(ctx context.Context, uuid string, argv []string, stdio provider.Stdio) error {
	rec, err := p.store.Load(uuid)
	if err != nil {
		return err
	}
	if len(argv) == 0 || !rec.Process.Alive() {
		return fmt.Errorf("run %q in machine %s, which must run: %w", argv, uuid, model.ErrUnavailable)
	}
	lobby, err := p.groups.openLobby()
	if err != nil {
		return err
	}
	c, err := spawn(stageExec, func(cmd *exec.Cmd) {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdio.In, stdio.Out, stdio.Err
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals are the caller's
	})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.cmd.Process.Signal(unix.SIGTERM) })
	defer stop()
	failed := c.command(execOrders{Machine: rec.Process, Groups: p.groups.dirs(uuid), Lobby: lobby, Argv: argv})
	err = c.cmd.Wait()
	switch exit := (*exec.ExitError)(nil); {
	case ctx.Err() != nil:
		return fmt.Errorf("run %s in machine %s: %w", argv[0], uuid, ctx.Err())
	case failed != nil:
		return fmt.Errorf("run %s in machine %s: %w", argv[0], uuid, failed)
	case errors.As(err, &exit):
		return fmt.Errorf("run %s in machine %s: %w", argv[0], uuid, &provider.ExitError{Code: exit.ExitCode()})
	case err != nil:
		return fmt.Errorf("run %s in machine %s: %w", argv[0], uuid, err)
	}
	return nil
}

// runExec enters a machine's namespaces and runs the command as its child: the
// pid namespace takes effect for children only. It waits in the lobby, where
// killing the machine does not reach it: were it to die before the command,
// nobody might reap that, and a machine does not end before all of its
// processes are reaped. For the same reason it ends by SIGTERM only.
func runExec(o execOrders) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	fd, err := o.Machine.Open()
	if err != nil {
		return fmt.Errorf("the machine has stopped: %w", err)
	}
	lobby, err := openGroups(o.Lobby)
	if err != nil {
		return err
	}
	if err := join(o.Groups, os.Getpid()); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("leave the host's root: %w", err)
	}
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWCGROUP
	if err := unix.Setns(fd, namespaces); err != nil {
		return fmt.Errorf("enter the machine: %w", err)
	}
	// The command is looked up as the machine would, not as the host.
	if err := os.Setenv("PATH", searchPath); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, o.Argv[0], o.Argv[1:]...)
	cmd.Env, cmd.Dir = environ(), "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	for _, group := range lobby {
		if _, err := group.WriteString("0"); err != nil {
			return fmt.Errorf("leave the machine's control group: %w", errors.Join(err, cmd.Cancel(), cmd.Wait()))
		}
	}
	return cmd.Wait()
}
