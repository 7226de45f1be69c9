package loopback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/model"
)

// The steps of a creation, in order.
const (
	stepRecord   = "record"
	stepDisk     = "disk"
	stepProcess  = "process"
	stepIdentity = "identity"
	stepOrders   = "orders"
)

var createSteps = []string{stepRecord, stepDisk, stepProcess, stepIdentity, stepOrders}

// Create implements provider.Provider. Packages that the host lacks are named
// in the message of the instance, which runs nevertheless.
func (p *Provider) Create(ctx context.Context, s provider.Spec) (provider.Instance, error) {
	if err := s.Validate(); err != nil {
		return provider.Instance{}, err
	}
	unlock, err := p.store.Lock(ctx, s.UUID)
	if err != nil {
		return provider.Instance{}, err
	}
	defer unlock()
	rec, err := p.reserve(ctx, s)
	if err != nil {
		return provider.Instance{}, err
	}
	if !rec.Process.Alive() {
		if err := p.start(s, &rec); err != nil {
			return provider.Instance{}, fmt.Errorf("start machine %s: %w", s.UUID, err)
		}
		p.watches.Wake()
	}
	i := p.instance(rec)
	i.Message = missingPackages(ctx, s.Packages)
	return i, nil
}

func (p *Provider) reserve(ctx context.Context, s provider.Spec) (store.Record, error) {
	rec, err := p.store.Load(s.UUID)
	if !errors.Is(err, model.ErrNotFound) {
		return rec, err
	}
	if err := p.step(stepRecord); err != nil {
		return rec, err
	}
	unlock, err := p.store.Lock(ctx, "addresses")
	if err != nil {
		return rec, err
	}
	defer unlock()
	subnet, err := p.subnet()
	if err != nil {
		return rec, err
	}
	address, err := p.store.FreeAddress(subnet)
	if err != nil {
		return rec, err
	}
	rec = store.Record{UUID: s.UUID, Model: s.Model, Name: s.Name, Hostname: s.Hostname, Address: address}
	return rec, p.store.Save(rec)
}

func (p *Provider) start(s provider.Spec, rec *store.Record) error {
	if err := p.step(stepDisk); err != nil {
		return err
	}
	i := p.instance(*rec)
	if err := prepare(s, i); err != nil {
		return err
	}
	if err := p.step(stepProcess); err != nil {
		return err
	}
	return p.launch(rec, p.cfg.Init(i))
}

// prepare makes the machine's directories and writes its files.
func prepare(s provider.Spec, i provider.Instance) error {
	for _, dir := range []string{i.Root, i.Run} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for path, f := range s.Files {
		target := filepath.Join(i.Root, path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		if err := store.Replace(target, f.Content, f.Mode.Perm()); err != nil {
			return err
		}
	}
	for _, m := range s.Shared {
		if err := share(m, filepath.Join(i.Root, m.Inside)); err != nil {
			return err
		}
	}
	return nil
}

// share makes a link to a directory of the host.
func share(m provider.Mount, link string) error {
	if target, err := os.Readlink(link); err == nil && target == m.Host {
		return nil
	}
	if err := m.Make(""); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	return os.Symlink(m.Host, link)
}

// waitForOrders becomes its arguments once a line comes, and ends where who
// would send it is gone: no crash leaves an unknown process.
const waitForOrders = `read -r orders <&3 && exec "$@" 3<&-`

// launch runs the first process, which is on record before it does anything.
func (p *Provider) launch(rec *store.Record, argv []string) error {
	if len(argv) == 0 {
		return fmt.Errorf("no first process is configured: %w", model.ErrInvalid)
	}
	if _, err := exec.LookPath(argv[0]); err != nil {
		return err
	}
	console, err := os.OpenFile(filepath.Join(p.store.Dir(rec.UUID), "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer console.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", waitForOrders, "machine"}, argv...)...)
	cmd.Dir, cmd.Env = "/", p.environ(rec.UUID)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = console, console, []*os.File{out}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = out.Close()
	if err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Release() }()
	if err := p.step(stepIdentity); err != nil {
		return err
	}
	if rec.Process, err = process.Of(cmd.Process.Pid); err != nil {
		return err
	}
	if err := p.store.Save(*rec); err != nil {
		return err
	}
	if err := p.step(stepOrders); err != nil {
		return err
	}
	_, err = in.WriteString("go\n")
	return err
}
