package controller

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/physician"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/controller/port"
	"github.com/gantry-orchestrator/gantry/engine/observe"
	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// attend makes what measures this controller and the others.
func (r *root) attend() {
	r.others = &others{dial: func(address string) *client.Vitals { return client.DialVitals(r.pair, address) }, open: map[string]*client.Vitals{}}
	reach := r.port.Dialer(port.Requests)
	r.physician = physician.New(physician.Config{
		ID: r.id, Version: r.Version, Dir: r.Dir, Log: r.Log,
		Members: r.members, Agents: r.agents, Ask: r.others.ask, Backups: r.copies, Certificates: r.certificates,
		Reach: func(ctx context.Context, address string) error {
			conn, err := reach(ctx, address)
			if err != nil {
				return err
			}
			return conn.Close()
		},
		History: func() (int, error) { h := r.history.Health(); return h.Waiting, h.Trouble },
		Alone:   func() string { return r.standing.now().Alone },
		Told:    r.told, Synced: r.metrics.Synced,
	})
}

// members are the controllers for the physician.
func (r *root) members() (list []observe.Controller) {
	st, lag := r.node.State(), r.node.Lag()
	for _, m := range r.node.Members() {
		c := observe.Controller{ID: m.ID, Name: m.ID[:min(8, len(m.ID))], Address: r.roster.address(m.ID), Voter: m.Voter}
		if r.node.Leading() {
			c.Lag = lag[m.ID]
		}
		if row, ok := st.Controller(m.ID); ok && !row.Unit.IsZero() {
			c.Name = row.Unit.String()
		}
		list = append(list, c)
	}
	return list
}

// agents are those of machines that have joined.
func (r *root) agents() (list []physician.Agent) {
	st := r.node.State()
	for _, m := range st.Models() {
		for _, machine := range st.Machines(m.Name) {
			if machine.State == state.MachineReady && machine.Life != model.Dead && !machine.Fenced {
				list = append(list, physician.Agent{Ref: machine.Ref(), Heard: r.live.Machine(machine.Ref()).Reachable})
			}
		}
	}
	return list
}

func (r *root) copies() (model.Backups, string) {
	r.vault.mu.Lock()
	defer r.vault.mu.Unlock()
	return r.node.State().Backups(), r.vault.trouble
}

func (r *root) certificates() (own, authority operator.Validity) {
	if leaf := r.own.Pair().Leaf; leaf != nil {
		own = operator.Validity{Begins: leaf.NotBefore, Ends: leaf.NotAfter}
	}
	begins, ends := r.authority.Validity()
	return own, operator.Validity{Begins: begins, Ends: ends}
}

// told makes an event of what began to be amiss and of what ended, and says it
// in the log of the controllers' own model.
func (r *root) told(began, ended []string) {
	say := func(level, text string) {
		r.live.Log(state.ControllerModel, []effect.LogLine{{Time: time.Now(), Source: "controller", Level: level, Text: text}})
		r.recorder.Fared(state.ControllerModel, "controllers", "ha", level, text)
	}
	for _, cause := range began {
		r.Log.Warn("HA degraded", "cause", cause)
		say("warn", "HA degraded: "+cause)
	}
	for _, cause := range ended {
		r.Log.Info("HA is degraded no more by this", "cause", cause)
		say("info", "HA degraded no more: "+cause)
	}
}

// watched notes a request as it begins and as it ends.
func (r *root) watched(ctx context.Context, method string, stream bool) (context.Context, func(error)) {
	began, end := time.Now(), func(error) {}
	if md, ok := metadata.FromIncomingContext(ctx); ok && r.Tracer != nil {
		ctx = trace.Of(ctx, strings.Join(md.Get(wire.HeaderTrace), ""))
		ctx, end = r.Tracer.Part(ctx, "request "+method)
	}
	return ctx, func(err error) {
		end(err)
		r.metrics.Requested(method, status.Code(err).String(), time.Since(began), stream)
	}
}

// page lets administrators have metrics and profiles, and records the rest.
func (r *root) page(certificate *x509.Certificate, path string) error {
	if time.Now().After(certificate.NotAfter) {
		return fmt.Errorf("the certificate expired on %v: %w", certificate.NotAfter, model.ErrDenied)
	}
	who, err := identify(certificate)
	if err == nil {
		_, err = r.sessions.api.Admit(context.Background(), who, api.Superuser, "")
	}
	if profile := strings.HasPrefix(path, "/debug/"); err == nil && !profile {
		return nil // a scrape, every few seconds
	}
	record := operator.AuditRecord{Who: who.String(), Bearer: pki.Fingerprint(certificate)[:16], Route: "GET " + path[:min(64, len(path))], Outcome: operator.Allowed}
	if err != nil {
		record.Outcome, record.Error = operator.Refused, err.Error()
	}
	if err == nil || r.away.first(who, time.Now()) {
		r.audited(record)
	}
	return err
}

// turnedAway bounds the records of one who asks for pages without the right.
type turnedAway struct {
	mu   sync.Mutex
	last map[string]time.Time // by fingerprint
}

// first reports whether it is the first time within a minute.
func (t *turnedAway) first(who api.Identity, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil || len(t.last) > 1000 {
		t.last = map[string]time.Time{}
	}
	was := t.last[who.Fingerprint]
	if now.Sub(was) < time.Minute {
		return false
	}
	t.last[who.Fingerprint] = now
	return true
}

// ready reports whether this controller leads, or follows who leads.
func (r *root) ready() (ok bool, reason string) {
	role := r.role(r.node.State())
	return role == "leader" || role == "follower", strings.ReplaceAll(role, " ", "-")
}

// others are connections to other controllers, each to ask exactly that one.
type others struct {
	dial func(address string) *client.Vitals

	mu   sync.Mutex
	open map[string]*client.Vitals
}

func (o *others) ask(ctx context.Context, address string) (operator.Vitals, error) {
	o.mu.Lock()
	conn, ok := o.open[address]
	if !ok {
		conn = o.dial(address)
		o.open[address] = conn
	}
	o.mu.Unlock()
	v, err := conn.Vitals(ctx)
	if err != nil && !errors.Is(err, model.ErrUnavailable) && ctx.Err() == nil {
		return operator.Vitals{Now: time.Now()}, nil // it answers, of an older version
	}
	return v, err
}

func (o *others) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, conn := range maps.Clone(o.open) {
		_ = conn.Close()
	}
	clear(o.open)
}
