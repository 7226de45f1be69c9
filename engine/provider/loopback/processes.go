package loopback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
)

// mark is in the environment of all processes of a machine that do not clear it.
func (p *Provider) mark(uuid string) string { return "GANTRY_MACHINE=" + p.id + "/" + uuid }

func (p *Provider) environ(uuid string) []string { return append(os.Environ(), p.mark(uuid)) }

// members finds the processes of a machine: those with its mark, those of its
// sessions, and what descends from them. A process that cleared its
// environment, left its session and lost its parent is not found.
func (p *Provider) members(uuid string) []process.Identity {
	mark := p.mark(uuid)
	stats, found := map[int]process.Stat{}, map[int]bool{}
	for _, pid := range process.All() {
		stat, err := process.ReadStat(pid)
		if err != nil || stat.State == 'Z' {
			continue
		}
		stats[pid] = stat
		environ, _ := process.Environ(pid) // of a process of somebody else it is not told
		found[pid] = slices.Contains(environ, mark)
	}
	for grown := true; grown; {
		grown = false
		for pid, stat := range stats {
			if !found[pid] && (found[stat.Parent] || found[stat.Session]) {
				found[pid], grown = true, true
			}
		}
	}
	var members []process.Identity
	for pid, is := range found {
		if id, err := process.Of(pid); is && err == nil && pid != os.Getpid() {
			members = append(members, id)
		}
	}
	return members
}

// kill ends all processes of a machine, those too that are started meanwhile.
func (p *Provider) kill(ctx context.Context, uuid string) error {
	for {
		members := p.members(uuid)
		if rec, err := p.store.Load(uuid); err == nil && rec.Process.Alive() {
			members = append(members, rec.Process)
		}
		if len(members) == 0 {
			return p.swept(uuid)
		}
		for _, id := range members {
			if err := id.Signal(unix.SIGKILL); err != nil {
				return fmt.Errorf("kill machine %s: %w", uuid, err)
			}
		}
		for _, id := range members {
			if err := id.Wait(ctx); err != nil {
				return fmt.Errorf("kill machine %s: %w", uuid, err)
			}
		}
	}
}

// swept has what a machine left in the host's control groups removed.
func (p *Provider) swept(uuid string) error {
	rec, err := p.store.Load(uuid)
	if err != nil || p.cfg.Swept == nil { // it has no record where its making was cut short
		return nil
	}
	if err := p.cfg.Swept(p.instance(rec)); err != nil {
		return fmt.Errorf("kill machine %s: %w", uuid, err)
	}
	return nil
}

// Exec implements provider.Execer, in the machine's root directory.
func (p *Provider) Exec(ctx context.Context, uuid string, argv []string, stdio provider.Stdio) error {
	rec, err := p.running(uuid)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = p.instance(rec).Root, p.environ(uuid)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdio.In, stdio.Out, stdio.Err
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		err = &provider.ExitError{Code: exit.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("run %s in machine %s: %w", argv[0], uuid, err)
	}
	return nil
}
