// Package fake makes machines in memory, for tests of what uses a provider.
// It passes the same suite as the real ones.
package fake

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model"
)

// Host holds the machines of all installs, as a real host would. The zero Host
// is empty and ready.
type Host struct {
	mu       sync.Mutex
	machines map[key]*machine
	pids     int
	octets   map[string]byte // of the installs' subnets
	changed  chan struct{}   // closed at each change
}

type key struct{ install, uuid string }

type machine struct {
	spec     provider.Spec
	address  netip.Addr
	pid      int // 0 where it is dead
	deaths   int
	files    map[string]string
	isolated bool
}

// Provider makes machines of one install on a Host.
type Provider struct {
	host    *Host
	install string

	// Fail, where it is set, is asked before each step of Create, Destroy and
	// List ("record", "start", "destroy", "list"); its error ends the call
	// there, as a crash would. Set it before the provider is used.
	Fail func(step, uuid string) error
}

var (
	_ provider.Provider = (*Provider)(nil)
	_ provider.Stopper  = (*Provider)(nil)
	_ provider.Killer   = (*Provider)(nil)
	_ provider.Isolator = (*Provider)(nil)
	_ provider.Watcher  = (*Provider)(nil)
)

// Open opens an install on a host.
func Open(h *Host, install string) *Provider {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.machines == nil {
		h.machines, h.octets, h.changed = map[key]*machine{}, map[string]byte{}, make(chan struct{})
	}
	if h.octets[install] == 0 {
		h.octets[install] = byte(len(h.octets) + 1)
	}
	return &Provider{host: h, install: install}
}

func (p *Provider) fail(step, uuid string) error {
	if p.Fail == nil {
		return nil
	}
	return p.Fail(step, uuid)
}

// notify lets the watches look again. The caller holds the lock.
func (h *Host) notify() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// Create implements provider.Provider.
func (p *Provider) Create(_ context.Context, s provider.Spec) (provider.Instance, error) {
	if err := s.Validate(); err != nil {
		return provider.Instance{}, err
	}
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	k := key{p.install, s.UUID}
	m := p.host.machines[k]
	if m == nil {
		if err := p.fail("record", s.UUID); err != nil {
			return provider.Instance{}, err
		}
		m = &machine{spec: s, address: p.freeAddress(), files: map[string]string{}}
		p.host.machines[k] = m
	}
	if m.pid == 0 {
		if err := p.fail("start", s.UUID); err != nil {
			return provider.Instance{}, err
		}
		for path, f := range s.Files {
			m.files[path] = string(f.Content)
		}
		p.host.pids++
		m.pid = p.host.pids
		p.host.notify()
	}
	return m.instance(), nil
}

func (p *Provider) freeAddress() netip.Addr {
	for last := byte(2); ; last++ {
		a := netip.AddrFrom4([4]byte{10, 0, p.host.octets[p.install], last})
		used := false
		for _, m := range p.host.machines {
			used = used || m.address == a
		}
		if !used {
			return a
		}
	}
}

func (m *machine) instance() provider.Instance {
	i := provider.Instance{
		UUID: m.spec.UUID, Model: m.spec.Model, Name: m.spec.Name, Address: m.address, State: provider.Running,
		Root: "/", Run: "/run/gantry", Binary: "/usr/lib/gantry/gantry", PID: m.pid,
	}
	if m.pid == 0 {
		i.State, i.Message = provider.Stopped, "its first process ended"
	}
	return i
}

// Destroy implements provider.Provider.
func (p *Provider) Destroy(_ context.Context, uuid string) error {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	if err := p.fail("destroy", uuid); err != nil {
		return err
	}
	delete(p.host.machines, key{p.install, uuid})
	p.host.notify()
	return nil
}

// List implements provider.Provider.
func (p *Provider) List(context.Context) ([]provider.Instance, error) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	if err := p.fail("list", ""); err != nil {
		return nil, err
	}
	var all []provider.Instance
	for k, m := range p.host.machines {
		if k.install == p.install {
			all = append(all, m.instance())
		}
	}
	slices.SortFunc(all, func(a, b provider.Instance) int { return cmp.Compare(a.UUID, b.UUID) })
	return all, nil
}

// change applies a change to a machine that there is.
func (p *Provider) change(uuid string, change func(*machine)) error {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	m := p.host.machines[key{p.install, uuid}]
	if m == nil {
		return fmt.Errorf("machine %s: %w", uuid, model.ErrNotFound)
	}
	change(m)
	p.host.notify()
	return nil
}

// Kill implements provider.Killer.
func (p *Provider) Kill(_ context.Context, uuid string) error { return p.change(uuid, (*machine).die) }

func (m *machine) die() {
	if m.pid != 0 {
		m.pid = 0
		m.deaths++
	}
}

// Isolate implements provider.Isolator.
func (p *Provider) Isolate(_ context.Context, uuid string) error {
	return p.change(uuid, func(m *machine) { m.isolated = true })
}

// Heal implements provider.Isolator.
func (p *Provider) Heal(_ context.Context, uuid string) error {
	return p.change(uuid, func(m *machine) { m.isolated = false })
}

// Isolated reports whether a machine is cut off.
func (p *Provider) Isolated(uuid string) (cut bool) {
	_ = p.change(uuid, func(m *machine) { cut = m.isolated })
	return cut
}

// File returns the content of a file in a machine, empty where there is none.
func (p *Provider) File(uuid, path string) (content string) {
	_ = p.change(uuid, func(m *machine) { content = m.files[path] })
	return content
}

// SetFile writes a file in a machine.
func (p *Provider) SetFile(uuid, path, content string) error {
	return p.change(uuid, func(m *machine) { m.files[path] = content })
}

// Down implements provider.Stopper.
func (p *Provider) Down(context.Context) error {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	for k, m := range p.host.machines {
		if k.install == p.install {
			m.die()
		}
	}
	p.host.notify()
	return nil
}

// Purge implements provider.Stopper.
func (p *Provider) Purge(context.Context) error {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	for k := range p.host.machines {
		if k.install == p.install {
			delete(p.host.machines, k)
		}
	}
	p.host.notify()
	return nil
}

// Watch implements provider.Watcher.
func (p *Provider) Watch(ctx context.Context, exited func(uuid string)) error {
	told := map[string]int{}
	for {
		dead, changed := p.dead()
		for uuid, deaths := range dead {
			if told[uuid] != deaths {
				told[uuid] = deaths
				exited(uuid)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// dead counts how often each dead machine died, and returns what closes when
// that may have changed.
func (p *Provider) dead() (map[string]int, <-chan struct{}) {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	all := map[string]int{}
	for k, m := range p.host.machines {
		if k.install == p.install && m.deaths > 0 && m.pid == 0 {
			all[k.uuid] = m.deaths
		}
	}
	return all, p.host.changed
}
