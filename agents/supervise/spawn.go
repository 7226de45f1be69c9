package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// life watches one main process through its pidfd, which means that process
// and no other even when the pid is used again.
type life struct {
	pidfd *os.File
	// For a process of this run of the supervisor: the stage's two pipes.
	order, report *os.File
	failure       string // the stage's reason for not becoming the service
}

func newLife(pidfd int) (*life, error) {
	if err := unix.SetNonblock(pidfd, true); err != nil { // so that waiting takes no thread
		return nil, errors.Join(err, unix.Close(pidfd))
	}
	return &life{pidfd: os.NewFile(uintptr(pidfd), "pidfd")}, nil
}

func (l *life) signal(sig Signal) {
	if conn, err := l.pidfd.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _ = unix.PidfdSendSignal(int(fd), unix.Signal(sig), nil, 0) })
	}
}

// wait returns when the process has ended, or with an error when l is closed.
func (l *life) wait() error {
	conn, err := l.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return err == nil && n > 0
	})
}

func (l *life) close() {
	for _, f := range []*os.File{l.pidfd, l.order, l.report} {
		if f != nil {
			_ = f.Close()
		}
	}
}

// spawn starts a process for v's record, as far as a stage that has its order
// on the way. On return the identity of the process is on disk.
func (s *supervisor) spawn(v *service) error {
	spec := v.rec.Spec
	who, lacking, err := lookupAccount(spec)
	if err != nil {
		return err
	}
	g, lost := s.cgroups.create(spec.ID, spec.Limits)
	lacking = append(lacking, lost...)
	g.kill() // what a lost record may have left under this name
	pid, l, err := forkStage(spec, who)
	if err != nil {
		return fmt.Errorf("start %s: %w", spec.ID, errors.Join(err, g.remove()))
	}
	if err := g.add(pid); err != nil {
		lacking = append(lacking, errors.Join(err, g.remove()).Error())
		g = group{}
	}
	st, err := readStat(pid)
	v.rec.Lacking = lacking
	v.rec.Proc = &proc{
		Identity: Identity{PID: pid, StartTime: st.StartTime, BootID: s.boot},
		Group:    g, Limits: spec.Limits, Hash: v.rec.Hash, Round: v.rec.Round,
		StopSignal: spec.StopSignal, StopTimeout: spec.StopTimeout, Started: time.Now(),
	}
	if err == nil {
		err = s.store.save(v.rec)
	}
	if err != nil {
		v.rec.Proc = nil
		l.close() // the stage reads end of file and ends
		_, _ = syscall.Wait4(pid, nil, 0, nil)
		return fmt.Errorf("start %s: %w", spec.ID, errors.Join(err, g.remove()))
	}
	v.life = l
	o := order{Command: spec.Command, Env: spec.Env, Dir: spec.Dir, Account: who, Files: spec.Limits.Files}
	p := v.rec.Proc
	s.group.Go(func() error { return s.follow(v, p, l, &o) })
	return nil
}

// forkStage forks the stage in a session of its own, with the log as output.
func forkStage(spec Spec, who *account) (pid int, l *life, err error) {
	log, err := openLog(spec.LogFile, who)
	if err != nil {
		return 0, nil, err
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, nil, err
	}
	defer null.Close()
	orderR, orderW, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	defer orderR.Close()
	reportR, reportW, err := os.Pipe()
	if err != nil {
		return 0, nil, errors.Join(err, orderW.Close())
	}
	defer reportW.Close()
	pidfd := -1
	// No Pdeathsig: services outlive the supervisor.
	pid, err = syscall.ForkExec("/proc/self/exe", []string{stageName}, &syscall.ProcAttr{
		Env:   []string{},
		Files: []uintptr{null.Fd(), log.Fd(), log.Fd(), orderR.Fd(), reportW.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	if err == nil {
		l, err = newLife(pidfd)
	}
	if err != nil {
		return 0, nil, errors.Join(err, orderW.Close(), reportR.Close())
	}
	l.order, l.report = orderW, reportR
	return pid, l, nil
}

// follow sees one process through: its order, its report, its end. It leaves
// the process alone when the supervisor ends before.
func (s *supervisor) follow(v *service, p *proc, l *life, o *order) error {
	defer context.AfterFunc(s.ctx, l.close)()
	defer l.close()
	if o != nil {
		_ = json.NewEncoder(l.order).Encode(o) // a stage that died shows in its end
		_ = l.order.Close()
		lacking, failure := l.readReport()
		s.post(func() {
			if l.failure = failure; failure == "" {
				v.rec.ready(append(lacking, p.Group.finish(p.Limits)...))
			}
		})
	}
	if err := l.wait(); err == nil {
		s.post(func() { s.ended(v, p, l) })
	}
	return nil
}

// readReport returns when exec has closed the pipe, or the stage has died.
func (l *life) readReport() (lacking []string, failure string) {
	for in := json.NewDecoder(l.report); ; {
		var r report
		if in.Decode(&r) != nil {
			return lacking, failure
		}
		lacking = append(lacking, r.Lacking...)
		failure = r.Error
	}
}

// ended notes that the main process of p is over, and reaps it.
func (s *supervisor) ended(v *service, p *proc, l *life) {
	e := Exit{At: time.Now(), OutOfMemory: p.Group.outOfMemory()}
	var ws syscall.WaitStatus
	switch pid, err := syscall.Wait4(p.PID, &ws, syscall.WNOHANG, nil); {
	case err != nil || pid != p.PID:
		e.Unknown = true // adopted: its parent is another
	case ws.Signaled():
		e.Signal = Signal(ws.Signal())
	default:
		e.Code = ws.ExitStatus()
	}
	if l.failure != "" {
		s.Logger.Error("start failed", "service", v.rec.Spec.ID, "error", l.failure)
		p.Exited = true
		v.rec.startFailed(l.failure, e.At, s.Jitter())
		return
	}
	v.rec.exited(e, s.Jitter())
	s.Logger.Info("ended", "service", v.rec.Spec.ID, "pid", p.PID, "code", e.Code, "signal", e.Signal, "unknown", e.Unknown)
}
