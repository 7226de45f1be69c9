package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/gantry-orchestrator/gantry/agents/agent"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// controller is a controller in memory, for the units of one machine. It
// commits what agents publish and pushes the intents that follow.
type controller struct {
	mu      sync.Mutex
	away    bool
	index   uint64
	intents map[model.UnitName]effect.Intent
	reports map[model.UnitName]effect.Report
	results []effect.OperationResult
	secrets map[string]map[string][]byte
	claims  []effect.Claim
	logs    []effect.LogLine
	session *session
	deposed bool   // echoes no beat: another leads
	grant   bool   // grants every turn that is asked for
	trace   string // that intents come with
	spans   []effect.Span
	pulse   effect.Pulse // the last
}

func newController() *controller {
	return &controller{
		intents: map[model.UnitName]effect.Intent{}, reports: map[model.UnitName]effect.Report{},
		secrets: map[string]map[string][]byte{},
	}
}

var errAway = fmt.Errorf("the controller is away: %w", model.ErrUnavailable)

// set changes a unit's spec, and live part, and pushes the intent.
func (c *controller) set(unit model.UnitName, change func(*effect.Spec, *effect.Live)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.change(unit, change)
}

func (c *controller) change(unit model.UnitName, change func(*effect.Spec, *effect.Live)) {
	c.index++
	in := c.intents[unit]
	in.Spec.Unit = unit
	change(&in.Spec, &in.Live)
	if hash := in.Spec.Hash(); hash != in.Hash {
		in.Hash, in.Generation = hash, c.index
	}
	in.Live.Serial = c.index
	c.intents[unit] = in
	if c.session != nil {
		c.session.push(effect.Downward{Set: []effect.Intent{in}, Trace: c.trace})
	}
}

func (c *controller) withdraw(unit model.UnitName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.intents, unit)
	if c.session != nil {
		c.session.push(effect.Downward{Withdrawn: []string{unit.String()}})
	}
}

// leave cuts the session off and refuses everything until come.
func (c *controller) leave() {
	c.mu.Lock()
	s := c.session
	c.away, c.session = true, nil
	c.mu.Unlock()
	if s != nil {
		_ = s.Close()
	}
}

func (c *controller) come() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = false
}

func (c *controller) report(unit model.UnitName) effect.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reports[unit]
}

func (c *controller) Connect(context.Context) (agent.Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, errAway
	}
	c.session = &session{controller: c, down: make(chan effect.Downward, 256), closed: make(chan struct{})}
	return c.session, nil
}

func (c *controller) Publish(_ context.Context, p effect.Publication) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return 0, errAway
	}
	c.change(p.Unit, func(s *effect.Spec, l *effect.Live) {
		for _, b := range p.Bags {
			i := slices.IndexFunc(l.Own, func(o effect.OwnBag) bool { return o.Relation == b.Relation })
			own := slices.Clone(l.Own)
			if i < 0 {
				own, i = append(own, effect.OwnBag{Relation: b.Relation}), len(own)
			}
			if b.Application {
				own[i].Application = b.Data
			} else {
				own[i].Unit = b.Data
			}
			l.Own = own
		}
		s.Records = append(slices.Clone(s.Records), p.Records...)
		for name, version := range p.Versions {
			if s.Versions == nil {
				s.Versions = map[string]string{}
			}
			s.Versions[name] = version
		}
	})
	return c.index, nil
}

func (c *controller) PutSecret(_ context.Context, n effect.NewSecret) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return "", errAway
	}
	id := fmt.Sprintf("secret:%032d", len(c.secrets)+1)
	c.secrets[id] = n.Fields
	c.change(n.Unit, func(s *effect.Spec, _ *effect.Live) {
		s.Secrets = append(slices.Clone(s.Secrets), effect.Secret{ID: id, Name: n.Name, Scope: n.Scope, Owner: n.Unit.Application, Revision: 1})
	})
	return id, nil
}

func (c *controller) ReadSecrets(_ context.Context, _ model.UnitName, at []effect.SecretAt) ([]effect.OpenSecret, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return nil, errAway
	}
	var opened []effect.OpenSecret
	for _, a := range at {
		opened = append(opened, effect.OpenSecret{SecretAt: a, Fields: c.secrets[a.ID]})
	}
	return opened, nil
}

func (c *controller) OpenClaim(_ context.Context, cl effect.Claim) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return 0, errAway
	}
	c.claims = append(c.claims, cl)
	c.change(cl.Unit, func(_ *effect.Spec, l *effect.Live) {
		l.Receipts = append(slices.Clone(l.Receipts), effect.Receipt{Task: cl.Task, Key: cl.Key, Unit: cl.Unit, Token: c.index, State: effect.ClaimOpen})
	})
	return c.index, nil
}

func (c *controller) CloseClaim(_ context.Context, r effect.ClaimResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return errAway
	}
	c.change(r.Unit, func(s *effect.Spec, l *effect.Live) {
		l.Receipts = slices.Clone(l.Receipts)
		for i, old := range l.Receipts {
			if old.Task == r.Task && old.Key == r.Key && old.Token == r.Token {
				l.Receipts[i].State = effect.ClaimDone
				if r.Failed != "" {
					l.Receipts[i].State = effect.ClaimFailed
				}
			}
		}
		if r.Public != "" {
			s.Records = append(slices.Clone(s.Records), effect.Record{Name: r.Task, Scope: effect.ApplicationScope, Value: r.Public})
		}
	})
	return nil
}

func (c *controller) FinishOperation(_ context.Context, r effect.OperationResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away {
		return errAway
	}
	c.results = append(c.results, r)
	return nil
}

// session is one agent's session with it.
type session struct {
	controller *controller
	down       chan effect.Downward
	closed     chan struct{}
	once       sync.Once
}

func (s *session) push(d effect.Downward) { s.down <- d }

func (s *session) Send(up effect.Upward) error {
	c := s.controller
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != s {
		return errors.New("the session has ended")
	}
	if up.Hello != nil {
		for unit, in := range c.intents {
			known := effect.Known{Unit: unit, Generation: in.Generation, Hash: in.Hash, Serial: in.Live.Serial}
			if !slices.Contains(up.Hello.Known, known) {
				s.push(effect.Downward{Set: []effect.Intent{in}})
			}
		}
	}
	if up.Beat != nil && !c.deposed {
		s.push(effect.Downward{Beat: up.Beat})
	}
	c.spans = append(c.spans, up.Spans...)
	if up.Pulse != nil {
		c.pulse = *up.Pulse
	}
	for _, r := range up.Reports {
		c.reports[r.Unit] = r
		if c.grant {
			c.grantTurns(r)
		}
	}
	c.logs = append(c.logs, up.Logs...)
	return nil
}

// grantTurns gives a unit the turns that it asks for, and takes back those
// that it gives back.
func (c *controller) grantTurns(r effect.Report) {
	grants := slices.DeleteFunc(slices.Clone(c.intents[r.Unit].Live.Grants), func(g effect.Grant) bool { return slices.Contains(r.Returned, g) })
	for _, t := range r.Asks {
		if !slices.ContainsFunc(grants, func(g effect.Grant) bool { return g.Turn == t.Name }) {
			grants = append(grants, effect.Grant{Turn: t.Name, Token: c.index + 1})
		}
	}
	if !slices.Equal(grants, c.intents[r.Unit].Live.Grants) {
		c.change(r.Unit, func(_ *effect.Spec, l *effect.Live) { l.Grants = grants })
	}
}

func (s *session) Recv() (effect.Downward, error) {
	select {
	case d := <-s.down:
		return d, nil
	case <-s.closed:
		return effect.Downward{}, errors.New("the session has ended")
	}
}

func (s *session) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}
