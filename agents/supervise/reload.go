package supervise

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// reloadTimeout bounds a reload command.
const reloadTimeout = 30 * time.Second

// reload makes the service read its configuration again. With a command it
// returns when that has ended, otherwise when the signal is sent.
func (s *supervisor) reload(ctx context.Context, id string) (Process, error) {
	failed := make(chan error, 1)
	err := s.call(ctx, func() error {
		v, err := s.find(id)
		if err != nil {
			return err
		}
		p, spec := v.rec.Proc, v.rec.Spec
		switch {
		case p == nil || !p.Ready || p.Exited || !p.StopAsked.IsZero():
			return fmt.Errorf("reload service %s: it is %s, not running: %w", id, v.rec.state(), model.ErrConflict)
		case len(spec.ReloadCommand) > 0:
			return s.runReload(v, spec, p.PID, failed)
		case spec.ReloadSignal != 0:
			v.life.signal(spec.ReloadSignal)
			failed <- nil
			return nil
		}
		return fmt.Errorf("reload service %s: its spec has no reload signal or command; restart it instead: %w", id, model.ErrInvalid)
	})
	if err == nil {
		select {
		case err = <-failed:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	if err != nil {
		return Process{}, err
	}
	return s.look(ctx, id)
}

// runReload runs the reload command as the service's user with its
// environment, and sends how it ended.
func (s *supervisor) runReload(v *service, spec Spec, pid int, ended chan<- error) error {
	if v.reload != 0 {
		return fmt.Errorf("reload service %s: a reload runs already: %w", spec.ID, model.ErrConflict)
	}
	who, _, err := lookupAccount(spec)
	if err != nil {
		return err
	}
	path, err := lookPath(spec.ReloadCommand[0], spec.Env)
	if err != nil {
		return fmt.Errorf("reload service %s: %w", spec.ID, err)
	}
	log, err := openLog(spec.LogFile, who)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, reloadTimeout)
	cmd := exec.CommandContext(ctx, path, spec.ReloadCommand[1:]...)
	cmd.Args[0] = spec.ReloadCommand[0]
	cmd.Dir, cmd.Stdout, cmd.Stderr = spec.Dir, log, log
	cmd.Env = append(append([]string{}, spec.Env...), "MAINPID="+strconv.Itoa(pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who.credential()}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		cancel()
		return errors.Join(fmt.Errorf("reload service %s: %w", spec.ID, err), log.Close())
	}
	v.reload = cmd.Process.Pid
	s.group.Go(func() error {
		defer cancel()
		err := errors.Join(cmd.Wait(), log.Close())
		if err != nil {
			err = fmt.Errorf("reload service %s: its reload command failed (its output is in the service's log): %w: %w", spec.ID, err, model.ErrUnavailable)
		}
		s.post(func() { v.reload = 0 })
		ended <- err
		return nil
	})
	return nil
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	c := &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
	for _, g := range a.Groups {
		c.Groups = append(c.Groups, uint32(g))
	}
	return c
}
