package load

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// What the test's own binary is told when it is to be the controller.
const (
	controllerDir    = "GANTRY_LOAD_CONTROLLER"
	controllerListen = "GANTRY_LOAD_LISTEN"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(controllerDir); dir != "" {
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is a controller until it is terminated; it prints a line of JSON once
// it is ready.
func serve(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	charms, err := charmed()
	if err != nil {
		return err
	}
	var g errgroup.Group
	if kept := os.Getenv(controllerProfiles); kept != "" {
		g.Go(func() error { return profile(kept, os.Stdin, os.Stdout) })
	}
	return errors.Join(controller.Run(ctx, controllerConfig(dir, charms)), g.Wait())
}

func controllerConfig(dir string, charms []api.Artifact) controller.Config {
	return controller.Config{
		Dir: dir, Listen: os.Getenv(controllerListen), Provider: provider, Version: "load", BuiltIn: charms,
		Log:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Ready: func(r controller.Ready) { _ = json.NewEncoder(os.Stdout).Encode(r) },
	}
}

const provider = "load"

// charmed are a charm without relations, whose every unit costs the least, and
// two that relate.
func charmed() (list []api.Artifact, err error) {
	for _, text := range []string{`
name: lone
summary: A unit alone.
description: Sees nobody.
type: charm
config:
  options:
    word: {type: string, default: none, description: What every unit is told.}
`, `
name: source
summary: One end.
description: Writes.
type: charm
provides:
  out: {interface: load}
`, `
name: sink
summary: The other end.
description: Reads.
type: charm
requires:
  in: {interface: load}
`} {
		c, err := charm.Parse("charm.yaml", []byte(text))
		if err != nil {
			return nil, err
		}
		list = append(list, api.Artifact{Hash: "h-" + string(c.Meta.Name), Location: "builtin:" + string(c.Meta.Name), Declared: *c})
	}
	return list, nil
}

// process is a controller in a process of its own.
type process struct {
	dir   string
	ready controller.Ready
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	admin *client.Client
}

// start runs a controller on a directory and waits until it leads and serves.
func start(b *testing.B, dir, listen string) *process {
	b.Helper()
	p := &process{dir: dir, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), controllerDir+"="+dir, controllerListen+"="+listen, controllerProfiles+"="+*profiles)
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := p.cmd.StdinPipe()
	must(b, err)
	out, err := p.cmd.StdoutPipe()
	must(b, err)
	p.in, p.out = in, bufio.NewReader(out)
	must(b, p.cmd.Start())
	line, err := p.out.ReadBytes('\n')
	must(b, err)
	must(b, json.Unmarshal(line, &p.ready))
	c, err := client.Load(p.ready.Admin)
	if err == nil {
		p.admin, err = client.Dial(c)
	}
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// stop ends the controller as an operator would.
func (p *process) stop(b *testing.B) {
	b.Helper()
	_ = p.admin.Close()
	_ = p.in.Close()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}

// processor is the time on a processor that the controller took so far.
func (p *process) processor(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(p.proc("stat"))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	var ticks int
	for _, field := range fields[11:13] { // utime and stime, by proc(5)
		n, err := strconv.Atoi(field)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100)
}

// pss is the controller's proportional share of memory in MB.
func (p *process) pss(b *testing.B) float64 {
	b.Helper()
	f, err := os.Open(p.proc("smaps_rollup"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb float64
		if _, err := fmt.Sscanf(lines.Text(), "Pss: %f kB", &kb); err == nil {
			return kb / 1000
		}
	}
	b.Fatal("no Pss in smaps_rollup")
	return 0
}

func (p *process) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file)
}
