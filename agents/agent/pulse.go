package agent

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// pulseEvery is how far apart the agent tells of itself. It is short enough for
// a way to a controller that was cut to be known within half a minute.
const pulseEvery = 10 * time.Second

// counts is how much the agent has done since it started.
type counts struct {
	rounds, effects, failures atomic.Uint64
}

// pather is a Controller that can try the ways to all controllers.
type pather interface {
	Paths(ctx context.Context) []effect.Path
}

// pulse tells of the agent while the session lasts: soon after its beginning,
// and then again and again, apart from other agents.
func (a *agent) pulse(ctx context.Context, s Session) error {
	wait := pulseEvery / 10
	for {
		if err := pause(ctx, wait/2+time.Duration(a.Jitter()*float64(wait))); err != nil {
			return err
		}
		p := effect.Pulse{
			Version: a.Version, Rounds: a.counts.rounds.Load(), Effects: a.counts.effects.Load(), Failures: a.counts.failures.Load(),
			Services: a.servicesByState(),
		}
		if c, ok := a.Controller.(pather); ok {
			p.Paths = c.Paths(ctx)
		}
		p.Now = time.Now()
		if err := s.Send(effect.Upward{Pulse: &p}); err != nil {
			return err
		}
		wait = pulseEvery
	}
}

// servicesByState counts what the supervisor runs.
func (a *agent) servicesByState() map[string]int {
	a.processes.mu.Lock()
	defer a.processes.mu.Unlock()
	count := map[string]int{}
	for _, services := range a.processes.of {
		for _, p := range services {
			count[string(p.State)]++
		}
	}
	return count
}
