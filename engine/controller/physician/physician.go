package physician

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/observe"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// How often things are measured, and how long an answer may take. A controller
// that does not answer twice in a row is told after two rounds and two
// patiences at the latest.
const (
	roundEvery = 3 * time.Second
	ownEvery   = 5 * time.Second
	patience   = 3 * time.Second
	missable   = 1 // answers in a row, before a controller counts as lost
)

// Config is what a physician works with.
type Config struct {
	ID, Version string
	Dir         string // where the disk is measured; the log is on the same
	Log         *slog.Logger

	// Members are the controllers, this one included, without what is measured.
	Members func() []observe.Controller
	// Agents are the machines' agents, without what they tell, by machine.
	Agents func() []Agent
	// Reach does a handshake with another controller.
	Reach func(ctx context.Context, address string) error
	// Ask asks another controller for its vitals.
	Ask          func(ctx context.Context, address string) (operator.Vitals, error)
	Backups      func() (b model.Backups, fault string)
	Certificates func() (own, authority operator.Validity)
	History      func() (waiting int, trouble error)
	// Alone says why nobody leads; empty while that may still pass.
	Alone func() string
	// Told is called where the causes of a degraded control plane have changed.
	Told func(began, ended []string)
	// Synced is called with how long each trial of the disk took.
	Synced func(time.Duration)
}

// Physician is safe for concurrent use.
type Physician struct {
	Config
	disk disk

	mu     sync.Mutex
	paths  []effect.Path
	pulses map[state.MachineRef]pulse
	health operator.Health
	leads  bool
	missed map[string]int
}

// Agent is a machine's agent, heard of late or not.
type Agent struct {
	Ref   state.MachineRef
	Heard bool
}

// pulse is what an agent told, and how far its clock is ahead.
type pulse struct {
	effect.Pulse
	skew time.Duration
}

// New makes one that has measured nothing.
func New(c Config) *Physician {
	return &Physician{Config: c, pulses: map[state.MachineRef]pulse{}, missed: map[string]int{}}
}

// Run measures what is this controller's own until ctx ends.
func (p *Physician) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { return p.disk.run(ctx, p.Dir, p.Synced, p.Log) })
	g.Go(func() error {
		var before []effect.Path
		for ctx.Err() == nil {
			paths := p.reach(ctx)
			p.mu.Lock()
			p.paths = twice(before, paths)
			p.mu.Unlock()
			before = paths
			pause(ctx, ownEvery/2+rand.N(ownEvery))
		}
		return nil
	})
	return g.Wait()
}

// Lead asks everyone and judges, while this controller leads.
func (p *Physician) Lead(ctx context.Context) error {
	p.mu.Lock()
	clear(p.pulses)
	clear(p.missed)
	p.leads, p.health = true, operator.Health{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.leads = false
	}()
	known := map[string]string{}
	for {
		facts := p.facts(ctx)
		if ctx.Err() != nil {
			return nil
		}
		health := operator.Health{Time: facts.Now, Findings: observe.Judge(facts)}
		p.mu.Lock()
		p.health = health
		p.mu.Unlock()
		known = p.tell(known, health)
		pause(ctx, roundEvery)
	}
}

// tell says which causes are new and which are gone. Its text, which may hold
// a figure, makes no new cause of one.
func (p *Physician) tell(known map[string]string, health operator.Health) map[string]string {
	now := map[string]string{}
	for _, f := range health.Findings {
		if f.Degrades && f.Level != operator.FindingOK {
			now[f.Check+" "+f.Subject] = f.Text()
		}
	}
	var began, ended []string
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if _, was := known[key]; !was {
			began = append(began, now[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(known)) {
		if _, is := now[key]; !is {
			ended = append(ended, known[key])
		}
	}
	if len(began)+len(ended) > 0 {
		p.Told(began, ended)
	}
	return now
}

// facts asks everyone at once.
func (p *Physician) facts(ctx context.Context) observe.Facts {
	f := observe.Facts{Version: p.Version, Controllers: p.Members()}
	var g errgroup.Group
	for i := range f.Controllers {
		c := &f.Controllers[i]
		if c.ID == p.ID {
			c.Vitals = p.Vitals()
			continue
		}
		g.Go(func() error { p.ask(ctx, c); return nil })
	}
	_ = g.Wait() // none fails
	agents, there := p.Agents(), map[state.MachineRef]bool{}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range agents {
		there[a.Ref] = true
		told := p.pulses[a.Ref]
		f.Agents = append(f.Agents, observe.Agent{
			Name: string(a.Ref.Model) + "/" + string(a.Ref.Machine), Heard: a.Heard,
			Version: told.Version, Skew: told.skew, Paths: told.Paths,
		})
	}
	maps.DeleteFunc(p.pulses, func(ref state.MachineRef, _ pulse) bool { return !there[ref] })
	f.Backups, f.BackupFault = p.Backups()
	f.Now = time.Now()
	return f
}

// ask takes the vitals of another controller.
func (p *Physician) ask(ctx context.Context, c *observe.Controller) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := time.Now()
	v, err := p.Ask(ctx, c.Address)
	answered := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.missed[c.ID] = 0
		c.Vitals, c.Skew = v, observe.Skew(asked, v.Now, answered)
		return
	}
	if p.missed[c.ID]++; p.missed[c.ID] > missable {
		c.Fault = err.Error()
	}
}

// reach tries the way to every other controller.
func (p *Physician) reach(ctx context.Context) []effect.Path {
	var others []observe.Controller
	for _, c := range p.Members() {
		if c.ID != p.ID {
			others = append(others, c)
		}
	}
	paths := make([]effect.Path, len(others))
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var g errgroup.Group
	for i, c := range others {
		g.Go(func() error {
			began := time.Now()
			paths[i] = effect.Path{To: c.ID}
			if err := p.Reach(ctx, c.Address); err != nil {
				paths[i].Fault = err.Error()
			}
			paths[i].Took = time.Since(began)
			return nil
		})
	}
	_ = g.Wait() // none fails
	return paths
}

// twice are paths whose fault was there the time before as well.
func twice(before, now []effect.Path) []effect.Path {
	now = slices.Clone(now)
	for i, path := range now {
		if !slices.ContainsFunc(before, func(b effect.Path) bool { return b.To == path.To && b.Fault != "" }) {
			now[i].Fault = ""
		}
	}
	return now
}

// Upward takes what an agent told of itself.
func (p *Physician) Upward(m state.MachineRef, told effect.Pulse) {
	now := time.Now()
	var trip time.Duration
	for _, path := range told.Paths {
		if path.Fault == "" && (trip == 0 || path.Took < trip) {
			trip = path.Took
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulses[m] = pulse{told, observe.Skew(now.Add(-trip), told.Now, now)}
}

// Pulses are what agents told last.
func (p *Physician) Pulses() map[state.MachineRef]effect.Pulse {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[state.MachineRef]effect.Pulse, len(p.pulses))
	for ref, one := range p.pulses {
		all[ref] = one.Pulse
	}
	return all
}

// Vitals are this controller's own.
func (p *Physician) Vitals() operator.Vitals {
	v := operator.Vitals{ID: p.ID, Version: p.Version, Now: time.Now(), Fsync: p.disk.took(time.Now())}
	v.DiskFreeMiB, v.DiskMiB = space(p.Dir)
	v.Certificate, v.Authority = p.Certificates()
	waiting, trouble := p.History()
	if v.HistoryLag = waiting; trouble != nil {
		v.HistoryBad = trouble.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v.Paths = slices.Clone(p.paths)
	return v
}

// Health is what was found last. Where nobody leads that is all there is to
// say.
func (p *Physician) Health() operator.Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	if alone := p.Alone(); !p.leads && alone != "" {
		return operator.Health{Time: time.Now(), Findings: []operator.Finding{{
			Check: "quorum", Level: operator.FindingBad, Degrades: true, What: alone,
			Why: "every change is refused; workloads go on", Do: "bring the missing controllers up: gantry controllers",
		}}}
	}
	h := p.health
	h.Findings = slices.Clone(h.Findings)
	return h
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
