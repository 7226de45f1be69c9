package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/model"
)

// The steps of a creation, in order. The record comes first: from then on
// there is a machine, which Create finishes and Destroy removes.
const (
	stepRecord   = "record"
	stepImage    = "image"
	stepDisk     = "disk"
	stepProcess  = "process"
	stepGroups   = "groups"
	stepLink     = "link"
	stepIdentity = "identity"
	stepOrders   = "orders"
)

var createSteps = []string{stepRecord, stepImage, stepDisk, stepProcess, stepGroups, stepLink, stepIdentity, stepOrders}

// Create implements provider.Provider.
func (p *Provider) Create(ctx context.Context, s provider.Spec) (provider.Instance, error) {
	if err := s.Validate(); err != nil {
		return provider.Instance{}, err
	}
	unlock, err := p.store.Lock(ctx, s.UUID)
	if err != nil {
		return provider.Instance{}, err
	}
	defer unlock()
	subnet, err := p.network.ensure(ctx)
	if err != nil {
		return provider.Instance{}, err
	}
	rec, err := p.reserve(ctx, s, subnet)
	if err != nil {
		return provider.Instance{}, err
	}
	if rec.Process.Alive() {
		return p.instance(rec), nil
	}
	if rec, err = p.prepareDisk(ctx, s, rec); err != nil {
		return provider.Instance{}, err
	}
	unmet, err := p.start(ctx, s, &rec, subnet)
	if err != nil {
		return provider.Instance{}, fmt.Errorf("start machine %s: %w", s.UUID, err)
	}
	p.watches.Wake()
	i := p.instance(rec)
	i.Message = strings.Join(unmet, "; ")
	return i, nil
}

// reserve returns the record of a machine, or makes it with a free address.
func (p *Provider) reserve(ctx context.Context, s provider.Spec, subnet netip.Prefix) (store.Record, error) {
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
	address, err := p.store.FreeAddress(subnet)
	if err != nil {
		return rec, err
	}
	rec = store.Record{UUID: s.UUID, Model: s.Model, Name: s.Name, Hostname: s.Hostname, Address: address}
	return rec, p.store.Save(rec)
}

// prepareDisk settles for good which layers the machine's disk stands on.
func (p *Provider) prepareDisk(ctx context.Context, s provider.Spec, rec store.Record) (store.Record, error) {
	if err := p.step(stepImage); err != nil {
		return rec, err
	}
	if i := p.instance(rec); i.State == provider.Broken {
		return rec, fmt.Errorf("machine %s cannot be started, restore that or remove the machine: %s: %w", s.UUID, i.Message, model.ErrUnavailable)
	}
	if len(rec.Lower) == 0 {
		base := s.Base
		if base == "" {
			base = p.cfg.Base
		}
		lower, err := p.images.lower(ctx, base, s.Packages, s.Software, p.store.Dir(s.UUID))
		if err != nil {
			return rec, fmt.Errorf("disk of machine %s: %w", s.UUID, err)
		}
		rec.Lower = lower
		if err := p.store.Save(rec); err != nil {
			return rec, err
		}
	}
	if err := p.step(stepDisk); err != nil {
		return rec, err
	}
	return rec, makeDisk(p.disk(rec))
}

func (p *Provider) disk(rec store.Record) disk {
	dir := p.store.Dir(rec.UUID)
	return disk{
		Lower: rec.Lower, Upper: filepath.Join(dir, "upper"),
		Work: filepath.Join(dir, "work"), Mountpoint: filepath.Join(dir, "root"),
	}
}

func makeDisk(d disk) error {
	for _, dir := range []string{d.Upper, d.Work, d.Mountpoint} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make disk: %w", err)
		}
	}
	return nil
}

// start runs the first process. It waits for orders until it is in its control
// groups, on the network and on record, so that no crash leaves an unknown one.
func (p *Provider) start(ctx context.Context, s provider.Spec, rec *store.Record, subnet netip.Prefix) (unmet []string, err error) {
	if err := p.step(stepProcess); err != nil {
		return nil, err
	}
	console, err := os.OpenFile(filepath.Join(p.store.Dir(s.UUID), "console.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer console.Close()
	const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
	c, err := spawn(stageMachine, func(cmd *exec.Cmd) {
		cmd.Dir, cmd.Env = "/", environ()
		cmd.Stdout, cmd.Stderr = console, console
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Setsid: true}
	})
	if err != nil {
		return nil, err
	}
	pid := c.cmd.Process.Pid
	defer func() { _ = c.cmd.Process.Release() }()
	if unmet, err = p.join(s, rec, pid, subnet); err != nil {
		c.abandon()
		return nil, err
	}
	if err := p.step(stepOrders); err != nil {
		c.abandon()
		return nil, err
	}
	orders, err := p.orders(s, *rec)
	if err != nil {
		c.abandon()
		return nil, err
	}
	if err := c.command(orders); err != nil {
		return nil, errors.Join(err, rec.Process.Wait(ctx))
	}
	return unmet, nil
}

// join makes a process that waits for its orders a machine of this install.
func (p *Provider) join(s provider.Spec, rec *store.Record, pid int, subnet netip.Prefix) (unmet []string, err error) {
	if err := p.step(stepGroups); err != nil {
		return nil, err
	}
	if unmet, err = p.groups.create(s.UUID, s.Constraints); err != nil {
		return nil, err
	}
	if err := p.groups.add(s.UUID, pid); err != nil {
		return nil, err
	}
	if err := p.step(stepLink); err != nil {
		return nil, err
	}
	if err := p.network.attach(pid, rec.Address, subnet); err != nil {
		return nil, err
	}
	if err := p.step(stepIdentity); err != nil {
		return nil, err
	}
	if rec.Process, err = process.Of(pid); err != nil {
		return nil, err
	}
	return unmet, p.store.Save(*rec)
}

func (p *Provider) orders(s provider.Spec, rec store.Record) (machineOrders, error) {
	hosts, err := p.hosts(rec)
	if err != nil {
		return machineOrders{}, err
	}
	files := []orderedFile{
		{Path: "/etc/hostname", Content: []byte(rec.Hostname + "\n"), Mode: 0o644},
		{Path: "/etc/hosts", Content: []byte(hosts), Mode: 0o644},
		{Path: "/etc/resolv.conf", Content: []byte(resolvConf()), Mode: 0o644},
	}
	for path, f := range s.Files {
		files = append(files, orderedFile{Path: path, Content: f.Content, Mode: uint32(f.Mode.Perm())})
	}
	slices.SortFunc(files, func(a, b orderedFile) int { return strings.Compare(a.Path, b.Path) })
	argv := p.cfg.Init(p.instance(rec))
	if len(argv) == 0 {
		return machineOrders{}, fmt.Errorf("no first process is configured: %w", model.ErrInvalid)
	}
	d := p.disk(rec)
	if d.Hide, err = p.images.hide(d.Lower); err != nil {
		return machineOrders{}, err
	}
	return machineOrders{
		Disk: d, Hostname: rec.Hostname, Groups: p.groups.mounts(s.UUID),
		Binary: p.binaryDir(), Shared: s.Shared, Files: files, Argv: argv,
		Environ: environ("GANTRY_MACHINE=" + s.UUID),
	}, nil
}
