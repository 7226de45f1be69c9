// Package loopback makes machines without privileges: each is an address of
// 127.0.0.0/8, a directory, and a process of the same user. Machines share the
// host's files and network; nothing can be installed in them or cut off.
package loopback

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/watch"
	"github.com/gantry-orchestrator/gantry/model"
)

// stopGrace is how long a machine's services may take to end by themselves.
const stopGrace = 30 * time.Second

// Provider makes loopback machines. It holds nothing in memory that matters:
// another one opened on the same state directory carries on.
type Provider struct {
	cfg     provider.Config
	id      string
	store   *store.Store
	watches watch.Set

	// step is called before each step of a creation; an error there leaves
	// what a crash at that step would. Tests set it.
	step func(name string) error
}

var (
	_ provider.Provider = (*Provider)(nil)
	_ provider.Stopper  = (*Provider)(nil)
	_ provider.Killer   = (*Provider)(nil)
	_ provider.Watcher  = (*Provider)(nil)
	_ provider.Execer   = (*Provider)(nil)
)

// Open opens the install of a state directory and adopts the machines that run.
func Open(ctx context.Context, cfg provider.Config) (*Provider, error) {
	cfg, err := cfg.Prepare()
	if err != nil {
		return nil, err
	}
	machines, err := store.Open(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	p := &Provider{cfg: cfg, id: provider.InstallID(cfg.StateDir), store: machines, step: func(string) error { return nil }}
	p.watches.List = machines.Processes
	return p, machines.Sweep(ctx)
}

func (p *Provider) subnetFile() string { return filepath.Join(p.cfg.StateDir, "subnet.json") }

// subnet is the remembered one, or one in which nobody listens.
func (p *Provider) subnet() (netip.Prefix, error) {
	var subnet netip.Prefix
	err := store.ReadJSON(p.subnetFile(), &subnet)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return subnet, err
	}
	subnet = chooseSubnet(p.id, listeners())
	return subnet, store.WriteJSON(p.subnetFile(), subnet)
}

// chooseSubnet returns the first /24 of 127.0.0.0/8, in an order that the
// install's id decides, that holds none of the addresses in use. The small
// subnet, not the large, keeps installs of different users apart: there are
// 65,024 of them.
func chooseSubnet(id string, used []netip.Addr) netip.Prefix {
	for i := uint32(0); ; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(id), i))
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{127, max(sum[0], 1), sum[1], 0}), 24)
		if !slices.ContainsFunc(used, subnet.Contains) {
			return subnet
		}
	}
}

// listeners are the loopback addresses that some process listens on.
func listeners() []netip.Addr {
	text, _ := os.ReadFile("/proc/net/tcp")
	var used []netip.Addr
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		var raw uint32
		if len(fields) < 2 {
			continue
		}
		if n, err := fmt.Sscanf(fields[1], "%8X:", &raw); err != nil || n != 1 {
			continue
		}
		// The kernel prints the bytes of the address as one native integer.
		used = append(used, netip.AddrFrom4([4]byte(binary.NativeEndian.AppendUint32(nil, raw))))
	}
	return used
}

// List implements provider.Provider.
func (p *Provider) List(context.Context) ([]provider.Instance, error) {
	return p.store.Instances(p.instance)
}

func (p *Provider) instance(r store.Record) provider.Instance {
	i := r.Instance()
	i.Root, i.Run, i.Binary = filepath.Join(p.store.Dir(r.UUID), "root"), p.runDir(r.UUID), p.cfg.Binary
	return i
}

// runDir is named by a part of the UUID: the path of a socket in it may have no
// more than 107 bytes.
func (p *Provider) runDir(uuid string) string {
	const enough = len("01234567-0123")
	return filepath.Join(p.cfg.RunDir, uuid[:min(len(uuid), enough)])
}

// Destroy implements provider.Provider.
func (p *Provider) Destroy(ctx context.Context, uuid string) error {
	unlock, err := p.store.Lock(ctx, uuid)
	if err != nil {
		return err
	}
	defer unlock()
	defer p.watches.Wake()
	if err := p.kill(ctx, uuid); err != nil {
		return err
	}
	if err := os.RemoveAll(p.runDir(uuid)); err != nil {
		return fmt.Errorf("remove machine %s: %w", uuid, err)
	}
	return p.store.Remove(uuid)
}

// Kill implements provider.Killer.
func (p *Provider) Kill(ctx context.Context, uuid string) error {
	if _, err := p.store.Load(uuid); err != nil {
		return err
	}
	return p.kill(ctx, uuid)
}

// Down implements provider.Stopper. Each machine has stopGrace to end by itself.
func (p *Provider) Down(ctx context.Context) error {
	records, _, err := p.store.List()
	if err != nil {
		return err
	}
	var group errgroup.Group
	for _, r := range records {
		group.Go(func() error { return p.stop(ctx, r) })
	}
	return group.Wait()
}

func (p *Provider) stop(ctx context.Context, r store.Record) error {
	unlock, err := p.store.Lock(ctx, r.UUID)
	if err != nil {
		return err
	}
	defer unlock()
	grace, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	if err := r.Process.Terminate(grace); err != nil {
		return fmt.Errorf("stop machine %s: %w", r.UUID, err)
	}
	if err := r.Process.Wait(grace); err != nil {
		p.cfg.Log.Warn("a machine did not stop by itself and is killed", "machine", r.UUID, "after", stopGrace)
	}
	return p.kill(ctx, r.UUID)
}

// Purge implements provider.Stopper.
func (p *Provider) Purge(ctx context.Context) error {
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
	if err := os.Remove(p.subnetFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("purge: %w", err)
	}
	return p.store.Purge()
}

// Watch implements provider.Watcher.
func (p *Provider) Watch(ctx context.Context, exited func(uuid string)) error {
	return p.watches.Run(ctx, exited)
}

// running loads the record of a machine that runs.
func (p *Provider) running(uuid string) (store.Record, error) {
	rec, err := p.store.Load(uuid)
	if err == nil && !rec.Process.Alive() {
		err = fmt.Errorf("machine %s does not run: %w", uuid, model.ErrUnavailable)
	}
	return rec, err
}
