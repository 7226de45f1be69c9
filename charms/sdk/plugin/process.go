package plugin

import (
	"context"
	"io"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/hashicorp/go-plugin/runner"
)

// process is a charm's process as go-plugin runs it: with an environment that
// holds the protocol's variables alone, a process group of its own, and a
// standard input that ends when its agent does.
type process struct {
	cmd    *exec.Cmd
	start  func(*exec.Cmd) error
	stdin  io.WriteCloser
	stdout io.ReadCloser
	stderr io.ReadCloser
}

var _ runner.Runner = (*process)(nil)

func newProcess(c ConnectConfig, env []string, dir string) (*process, error) {
	p := &process{
		cmd: &exec.Cmd{
			Path: c.Command[0], Args: c.Command, Env: env, Dir: dir,
			SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
		},
		start: func(cmd *exec.Cmd) error { return c.Start(cmd, dir) },
	}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	p.stderr, err = p.cmd.StderrPipe()
	return p, err
}

// Start implements runner.Runner.
func (p *process) Start(ctx context.Context) error {
	err := p.start(p.cmd)
	if err != nil && p.cmd.Process != nil {
		_ = p.Kill(ctx)
		_ = p.cmd.Wait()
	}
	return err
}

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error { return p.cmd.Wait() }

// Kill implements runner.Runner: the whole group goes.
func (p *process) Kill(context.Context) error {
	if p.cmd.Process != nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	return nil
}

// Diagnose implements runner.Runner.
func (p *process) Diagnose(context.Context) string { return "" }

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr implements runner.Runner.
func (p *process) Stderr() io.ReadCloser { return p.stderr }

// Name implements runner.Runner.
func (p *process) Name() string { return p.cmd.Path }

// ID implements runner.Runner.
func (p *process) ID() string {
	if p.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

// PluginToHost implements runner.Runner: both see the same paths.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner: both see the same paths.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
