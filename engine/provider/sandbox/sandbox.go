package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/watch"
	"github.com/gantry-orchestrator/gantry/model"
)

// stopGrace is how long a machine's services may take to end by themselves.
const stopGrace = 30 * time.Second

// Provider makes sandbox machines. It holds nothing in memory that matters:
// another one opened on the same state directory carries on.
type Provider struct {
	cfg     provider.Config
	store   *store.Store
	network network
	groups  cgroups
	images  images
	watches watch.Set

	// step is called before each step of a creation; an error there leaves
	// what a crash at that step would. Tests set it.
	step func(name string) error
}

var (
	_ provider.Provider = (*Provider)(nil)
	_ provider.Stopper  = (*Provider)(nil)
	_ provider.Killer   = (*Provider)(nil)
	_ provider.Isolator = (*Provider)(nil)
	_ provider.Hoster   = (*Provider)(nil)
	_ provider.Watcher  = (*Provider)(nil)
	_ provider.Execer   = (*Provider)(nil)
)

// Open opens the install of a state directory, adopts the machines that run
// and removes what a crash left half made.
func Open(ctx context.Context, cfg provider.Config) (*Provider, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("sandbox machines need root, run gantry with sudo or choose loopback: %w", model.ErrDenied)
	}
	cfg, err := cfg.Prepare()
	if err != nil {
		return nil, err
	}
	id := provider.InstallID(cfg.StateDir)
	groups, err := findCgroups(id)
	if err != nil {
		return nil, err
	}
	machines, err := store.Open(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		cfg: cfg, store: machines, groups: groups,
		network: network{id: id, file: filepath.Join(cfg.StateDir, "subnet.json"), log: cfg.Log},
		images:  images{cache: cfg.CacheDir, hidden: []string{cfg.StateDir, cfg.RunDir, cfg.CacheDir}, log: cfg.Log, progress: cfg.Progress, maven: depot.RunMaven},
		step:    func(string) error { return nil },
	}
	p.watches.List = machines.Processes
	if err := p.installBinary(); err != nil {
		return nil, err
	}
	if err := p.reap(ctx); err != nil {
		return nil, err
	}
	p.collect(ctx)
	return p, nil
}

// collect has those of the layers go that no machine of this host stands on.
func (p *Provider) collect(ctx context.Context) {
	records, _, err := p.store.List()
	for _, r := range records {
		for _, lower := range r.Lower { // of machines that an older gantry made
			if layer := filepath.Dir(lower); err == nil && filepath.Dir(layer) == p.images.layers() {
				_, err = p.images.use(ctx, layer, p.store.Dir(r.UUID))
			}
		}
	}
	if err == nil {
		err = p.images.collect(time.Now())
	}
	if err != nil {
		p.cfg.Log.Warn("cannot collect layers of packages that nobody uses", "error", err)
	}
}

func (p *Provider) binaryDir() string { return filepath.Join(p.cfg.StateDir, "bin") }

// replicatedSuffix is what the name of the binary ends in whose history is
// replicated. It lies beside the other, on the host and in machines.
const replicatedSuffix = "-dqlite"

// installBinary copies the gantry binary, and where there is one that whose
// history is replicated, to where machines see them. Those that run keep what
// they run.
func (p *Provider) installBinary() error {
	if err := os.MkdirAll(p.binaryDir(), 0o755); err != nil {
		return fmt.Errorf("install the gantry binary: %w", err)
	}
	target := filepath.Join(p.binaryDir(), "gantry")
	// The sibling first: who starts a new gantry finds its own build beside it.
	err := install(p.cfg.Binary+replicatedSuffix, target+replicatedSuffix)
	if errors.Is(err, os.ErrNotExist) {
		err = os.RemoveAll(target + replicatedSuffix)
	}
	if err != nil {
		return fmt.Errorf("gantry binary: %w", err)
	}
	if err := install(p.cfg.Binary, target); err != nil {
		return fmt.Errorf("gantry binary: %w", err)
	}
	return nil
}

// install copies a binary, unless the copy is of it already.
func install(binary, target string) error {
	source, err := os.Stat(binary)
	if err != nil {
		return err
	}
	installed, err := os.Stat(target)
	if err == nil && installed.Size() == source.Size() && installed.ModTime().Equal(source.ModTime()) {
		return nil
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	if err := store.Replace(target, content, 0o755); err != nil {
		return err
	}
	return os.Chtimes(target, source.ModTime(), source.ModTime())
}

// reap removes what carries this install's label and belongs to no machine.
func (p *Provider) reap(ctx context.Context) error {
	if err := p.store.Sweep(ctx); err != nil {
		return err
	}
	records, broken, err := p.store.List()
	if err != nil {
		return err
	}
	known, links := map[string]bool{}, map[byte]bool{}
	for _, r := range records {
		known[r.UUID] = true
		links[r.Address.As4()[3]] = true
	}
	for uuid := range broken {
		known[uuid] = true
	}
	for _, uuid := range p.groups.machines() {
		if !known[uuid] {
			p.cfg.Log.Info("removing what is left of an unknown machine", "machine", uuid)
			if err := p.groups.remove(ctx, uuid); err != nil {
				return err
			}
		}
	}
	return p.reapLinks(links, len(broken) > 0)
}

func (p *Provider) reapLinks(known map[byte]bool, unsure bool) error {
	found, err := p.network.links()
	if err != nil || unsure {
		return err
	}
	subnet, err := p.network.subnet()
	if err != nil {
		return err
	}
	for last := range found {
		if known[last] {
			continue
		}
		address := subnet.Addr().As4()
		address[3] = last
		if err := p.network.detach(netip.AddrFrom4(address)); err != nil {
			return err
		}
	}
	return nil
}

// List implements provider.Provider.
func (p *Provider) List(context.Context) ([]provider.Instance, error) {
	return p.store.Instances(p.instance)
}

func (p *Provider) instance(r store.Record) provider.Instance {
	i := r.Instance()
	i.Root, i.Run, i.Binary = "/", runDir, binaryDir+"/gantry"
	for _, lower := range r.Lower {
		if _, err := os.Stat(lower); err != nil && i.State == provider.Stopped {
			i.State, i.Message = provider.Broken, fmt.Sprintf("a layer of its disk is gone: %v", err)
		}
	}
	return i
}

// Destroy implements provider.Provider.
func (p *Provider) Destroy(ctx context.Context, uuid string) error {
	unlock, err := p.store.Lock(ctx, uuid)
	if err != nil {
		return err
	}
	defer unlock()
	defer p.watches.Wake()
	rec, err := p.store.Load(uuid)
	if err != nil && !errors.Is(err, model.ErrNotFound) {
		p.cfg.Log.Warn("destroying a machine whose record cannot be read", "machine", uuid, "error", err)
	}
	if err := p.end(ctx, uuid, rec); err != nil {
		return err
	}
	return p.store.Remove(uuid)
}

// end kills a machine and removes all of it but its directory.
func (p *Provider) end(ctx context.Context, uuid string, rec store.Record) error {
	if err := p.kill(ctx, uuid, rec); err != nil {
		return err
	}
	if err := p.groups.remove(ctx, uuid); err != nil {
		return err
	}
	if !rec.Address.IsValid() {
		return nil
	}
	return p.network.detach(rec.Address)
}

// Kill implements provider.Killer.
func (p *Provider) Kill(ctx context.Context, uuid string) error {
	rec, err := p.store.Load(uuid)
	if err != nil {
		return err
	}
	return p.kill(ctx, uuid, rec)
}

func (p *Provider) kill(ctx context.Context, uuid string, rec store.Record) error {
	p.groups.kill(uuid)
	if err := rec.Process.Signal(unix.SIGKILL); err != nil {
		return fmt.Errorf("kill machine %s: %w", uuid, err)
	}
	if err := rec.Process.Wait(ctx); err != nil {
		return err
	}
	return p.groups.empty(ctx, uuid)
}

// Isolate implements provider.Isolator: the machine's link loses its carrier.
func (p *Provider) Isolate(_ context.Context, uuid string) error {
	return p.changeLink(uuid, netlink.LinkSetDown)
}

// Heal implements provider.Isolator.
func (p *Provider) Heal(_ context.Context, uuid string) error {
	return p.changeLink(uuid, netlink.LinkSetUp)
}

func (p *Provider) changeLink(uuid string, change func(netlink.Link) error) error {
	rec, err := p.store.Load(uuid)
	if err != nil {
		return err
	}
	return p.network.setLink(rec.Address, change)
}

// Down implements provider.Stopper. Each machine has stopGrace to end by itself.
func (p *Provider) Down(ctx context.Context) error {
	records, _, err := p.store.List()
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, r := range records {
		group.Go(func() error { return p.stop(ctx, r.UUID) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := p.groups.purge(); err != nil {
		return err
	}
	return p.network.remove(ctx)
}

func (p *Provider) stop(ctx context.Context, uuid string) error {
	unlock, err := p.store.Lock(ctx, uuid)
	if err != nil {
		return err
	}
	defer unlock()
	rec, err := p.store.Load(uuid)
	if err != nil {
		return err
	}
	grace, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if err := rec.Process.Terminate(grace); err != nil {
		return fmt.Errorf("stop machine %s: %w", uuid, err)
	}
	if err := rec.Process.Wait(grace); err != nil {
		p.cfg.Log.Warn("a machine did not stop by itself and is killed", "machine", uuid, "after", stopGrace)
	}
	return p.end(ctx, uuid, rec)
}

// Purge implements provider.Stopper.
func (p *Provider) Purge(ctx context.Context) error {
	if err := p.reap(ctx); err != nil {
		return err
	}
	all, err := p.List(ctx)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, i := range all {
		group.Go(func() error { return p.Destroy(ctx, i.UUID) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := errors.Join(p.groups.purge(), p.network.remove(ctx)); err != nil {
		return err
	}
	for _, path := range []string{p.binaryDir(), p.network.file, p.hostsFile()} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("purge: %w", err)
		}
	}
	return p.store.Purge()
}
