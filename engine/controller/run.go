package controller

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/controller/artifact"
	"github.com/gantry-orchestrator/gantry/engine/controller/audit"
	"github.com/gantry-orchestrator/gantry/engine/controller/live"
	"github.com/gantry-orchestrator/gantry/engine/controller/physician"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/controller/port"
	"github.com/gantry-orchestrator/gantry/engine/controller/recorder"
	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/engine/observe/metrics"
	"github.com/gantry-orchestrator/gantry/engine/server"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// goodbye is how long requests have to end when the controller stops.
const goodbye = 500 * time.Millisecond

// Run is a controller until ctx ends or an administrator shuts it down, which
// is a success.
func Run(ctx context.Context, c Config) error {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := open(ctx, c, began)
	if err != nil {
		if ctx.Err() != nil {
			return nil // it was told to stop before it had joined
		}
		return err
	}
	r.stop = cancel
	return r.run(ctx)
}

// root holds the parts of a running controller.
type root struct {
	Config
	began     time.Time
	id        string
	authority *pki.Authority
	admin     identity
	host      identity
	roster    *roster
	port      *port.Port
	own       *pki.Own
	audit     *audit.Log
	pair      *tls.Config // of this controller, towards others
	node      *consensus.Node
	opened    chan struct{} // closed once node is there
	cluster   *cluster
	standing  *standing
	charms    *charms
	vault     *vault
	live      *live.Live
	sessions  *sessions
	history   *history.History
	recorder  *recorder.Recorder
	metrics   *metrics.Metrics
	physician *physician.Physician
	others    *others
	away      turnedAway
	server    *grpc.Server
	requests  net.Listener
	browsers  net.Listener // of pages
	addresses []string
	stop      func()
}

// open makes what is missing in the state directory and opens every part.
func open(ctx context.Context, c Config, began time.Time) (_ *root, err error) {
	if err := os.MkdirAll(filepath.Join(c.Dir, "pki"), 0o700); err != nil {
		return nil, fmt.Errorf("controller: %w", err)
	}
	if err := os.Remove(ReadyFile(c.Dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("controller: %w", err)
	}
	r := &root{Config: c, began: began, opened: make(chan struct{})}
	if r.id, err = ownID(c.Dir); err != nil {
		return nil, err
	}
	if r.roster, err = openRoster(c.Dir); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("controller: listen: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, listener.Close())
		}
	}()
	if r.addresses = c.Advertise; len(r.addresses) == 0 {
		r.addresses = []string{listener.Addr().String()}
	}
	if c.Machine != nil {
		if err := r.join(ctx); err != nil {
			return nil, err
		}
	}
	if r.authority, err = pki.OpenAuthority(filepath.Join(c.Dir, "pki"), began); err != nil {
		return nil, err
	}
	if c.Machine == nil {
		if err := r.contexts(); err != nil {
			return nil, err
		}
	}
	if err := r.member(listener); err != nil {
		return nil, err
	}
	return r, r.serve()
}

// contexts writes the files by which the first operator and the embedded host
// agent reach this controller.
func (r *root) contexts() (err error) {
	if r.admin, err = contextFile(AdminContext(r.Dir), r.authority, pki.User, "admin", r.addresses); err != nil {
		return err
	}
	r.host, err = contextFile(HostContext(r.Dir), r.authority, pki.Host, "host-"+r.id, r.addresses)
	return err
}

// member opens the port, and the log behind it. In the log a member's address
// is its ID: where that is, the roster knows.
func (r *root) member(listener net.Listener) error {
	own, err := r.authority.NewOwn(r.id, r.CertificateLife, time.Now)
	if err != nil {
		return err
	}
	r.own, r.pair = own, own.Rotating(r.authority.MemberTLS(own.Pair()))
	r.port, err = port.New(port.Config{
		Listener: listener, Server: own.Rotating(r.authority.ServerTLS(own.Pair())), Client: r.pair, Log: r.Log,
		Admit: func(peer tls.ConnectionState) error {
			<-r.opened
			return r.roster.admit(r.node, peer)
		},
	})
	if err != nil {
		return err
	}
	// The first that both sides know is spoken: who knows both is a browser.
	r.browsers = r.port.Listener(port.Pages)
	r.requests = r.port.Listener(port.Requests)
	r.metrics = metrics.New(r.reading)
	r.node, err = consensus.Open(consensus.Config{
		ID: r.id, Dir: filepath.Join(r.Dir, "raft"), Log: r.Log, Join: r.Machine != nil,
		Address: r.id, Listener: r.port.Listener(port.Consensus),
		Dial: r.dialer(port.Consensus), Meter: r.metrics,
	})
	if err != nil {
		return err
	}
	r.live = live.New(time.Now, replicated{r.node, r.Tracer})
	close(r.opened)
	r.cluster = &cluster{node: r.node, greet: r.roster.greet, self: r.self(), keys: r.keys, log: r.Log, leaving: map[string]bool{}}
	r.standing = newStanding(r.node, r.id, r.roster, r.port)
	return nil
}

// dialer reaches other controllers, by ID, to speak a protocol.
func (r *root) dialer(p port.Protocol) func(ctx context.Context, id string) (net.Conn, error) {
	dial := r.port.Dialer(p)
	return func(ctx context.Context, id string) (net.Conn, error) {
		<-r.opened
		address := r.roster.address(id)
		if row, ok := r.node.State().Controller(id); ok && address == "" { // it is news
			address = row.Address
		}
		if address == "" {
			return nil, fmt.Errorf("it is not known where controller %s is: %w", id, model.ErrUnavailable)
		}
		return dial(ctx, address)
	}
}

// serve wires the requests to the log.
func (r *root) serve() error {
	sealer, err := pki.OpenSealer(r.secretsKey())
	if err != nil {
		return err
	}
	kept, err := artifact.Open(filepath.Join(r.Dir, "charms"), r.BuiltIn)
	if err != nil {
		return err
	}
	r.charms = newCharms(kept, r)
	signer, err := r.authority.NewCharmSigner(r.id, r.began)
	if err != nil {
		return err
	}
	if r.audit, err = r.auditLog(); err != nil {
		return err
	}
	r.vault = &vault{node: r.node, dir: r.Dir, id: r.id, version: r.Version, log: r.Log}
	r.remember()
	r.attend()
	service := api.New(api.Config{
		History: r.history, HistoryViews: r.history,
		Audit: r.audit,
		Log:   replicated{r.node, r.Tracer}, Live: r.live, Catalog: r.charms, Sealer: sealer, Cluster: r.cluster, Planner: r.planner(), Policy: r.Policy,
		Authority: authority{r.authority, signer, r.reached, r.CertificateLife},
		About:     operator.ControllerInfo{ID: r.id, Version: r.Version, Provider: r.Provider, Started: r.began},
		Shutdown:  func() { r.stop() },
		Now:       time.Now,
		Backups:   r.vault,
		Physician: r.physician,
	})
	r.sessions = newSessions(r.node, r.live, r.Log)
	r.sessions.api, r.sessions.watch, r.sessions.tracer = service, r, r.Tracer
	r.recorder = r.recording()
	r.vault.newer = r.sessions.newer
	r.server, err = server.New(server.Config{
		TLS: port.Credentials(), Standing: r.standing.now, Undone: consensus.NotLeading,
		Identify: identify, Gate: service, Audit: r.audited, Log: r.Log, Watch: r.watched,
		Handlers: wire.Handlers{
			Operator: wire.Operator{
				Models: service, Statuses: service, Applications: service, Settings: service, Units: service, Relations: service,
				Machines: service, Operations: service, Turns: service, Tasks: service, Orders: service, Charms: service,
				Controller: service, Users: service, Logs: service, Members: service, History: service, Queries: service, Backups: service, Checks: service,
				Tokens: service, Certificates: service, Audits: service,
			},
			Agents: service, Sessions: r.sessions, Artifacts: service, Hosts: service, Joins: service, Membership: service, Peers: service, Vitals: service,
		},
	})
	return err
}

// reached are the addresses that a machine's agent is to join at.
func (r *root) reached() []string {
	if all := r.roster.addresses(); len(all) > 1 {
		return all
	}
	return r.addresses
}

// identify is who a certificate of the authority names.
func identify(c *x509.Certificate) (api.Identity, error) {
	kind, name, err := pki.Bearer(c)
	if err != nil {
		return api.Identity{}, err
	}
	kinds := map[pki.Kind]api.Kind{
		pki.User: api.UserCaller, pki.Agent: api.AgentCaller, pki.Host: api.HostCaller, pki.Joiner: api.JoinCaller, pki.Token: api.TokenCaller,
		pki.Controller: api.PeerCaller,
	}
	if kinds[kind] == "" {
		return api.Identity{}, fmt.Errorf("%s %s makes no requests: %w", kind, name, model.ErrDenied)
	}
	return api.Identity{Kind: kinds[kind], Name: name, Fingerprint: pki.Fingerprint(c)}, nil
}

// planner says what changes would do, from what agents last reported.
func (r *root) planner() api.Planner {
	if r.Plan.Charms == nil {
		return nil
	}
	c := r.Plan
	c.Report = r.live.Report
	return c.Plan
}

func (r *root) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	serving, closed := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		defer closed() // the port is open while leadership is handed on
		return r.node.Run(ctx, r.lead)
	})
	g.Go(func() error { return r.port.Run(serving) })
	g.Go(func() error {
		if err := r.server.Serve(r.requests); err != nil && !errors.Is(err, grpc.ErrServerStopped) && serving.Err() == nil {
			return fmt.Errorf("controller: serve: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		// Streams have no end of their own: who is left after a moment is cut off.
		cut := time.AfterFunc(goodbye, r.server.Stop)
		defer cut.Stop()
		r.server.GracefulStop()
		return nil
	})
	g.Go(func() error { return r.own.Run(ctx) })
	g.Go(func() error { return r.pages(serving) })
	g.Go(func() error {
		defer r.others.close()
		return r.physician.Run(ctx)
	})
	g.Go(func() error { return r.audit.Run(serving) })
	g.Go(func() error { return r.history.Run(ctx) })
	g.Go(func() error { return r.sessions.api.Enforce(ctx) })
	g.Go(func() error { return r.standing.run(ctx) })
	g.Go(func() error { return r.follow(ctx) })
	g.Go(func() error { return r.tell(ctx) })
	g.Go(func() error { return r.charms.run(ctx) })
	g.Go(func() error { return r.announce(ctx) })
	return g.Wait()
}

// lead is this controller's time of leadership.
func (r *root) lead(ctx context.Context) error {
	r.live.Reset()
	if err := r.enrol(ctx); err != nil {
		return err
	}
	r.sessions.setTerm(ctx)
	defer r.sessions.endTerm()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.sessions.run(ctx) })
	g.Go(func() error {
		return (&loop{node: r.node, live: r.live, log: r.Log, meter: r.metrics, tracer: r.Tracer}).run(ctx)
	})
	g.Go(func() error { return r.cluster.lead(ctx) })
	g.Go(func() error { return r.vault.lead(ctx) })
	g.Go(func() error { return r.recorder.Lead(ctx) })
	g.Go(func() error { return r.physician.Lead(ctx) })
	return g.Wait()
}

// enrol makes the identities that this controller's files hold known.
func (r *root) enrol(ctx context.Context) error {
	st := r.node.State()
	var ops []state.Op
	if op, needed := r.cluster.enrol(); needed {
		ops = append(ops, op)
	}
	if r.Machine != nil {
		return r.propose(ctx, ops)
	}
	if _, ok := st.UserOf(r.admin.fingerprint); !ok && (r.admin.made || !administered(st)) {
		ops = append(ops, state.SetUser{Name: model.UserName(r.admin.name), Superuser: true, Certificates: []string{r.admin.fingerprint}})
	}
	if a, ok := st.Agent(r.host.name); !ok || r.host.made && a.Certificate != r.host.fingerprint {
		token := api.HashToken(r.host.fingerprint)
		ops = append(ops,
			state.AddToken{Hash: token, Machine: r.host.name, Host: true, Expires: time.Now().Add(time.Minute)},
			state.RedeemToken{Hash: token, Machine: r.host.name, Certificate: r.host.fingerprint})
	}
	return r.propose(ctx, ops)
}

// propose commits what a leader says first. One that is deposed meanwhile
// leaves it to the next time.
func (r *root) propose(ctx context.Context, ops []state.Op) error {
	if len(ops) == 0 {
		return nil
	}
	outcomes, err := r.node.Propose(ctx, state.Command{Origin: state.Operator, Author: "controller/" + r.id, Reason: "first start", Ops: ops})
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, model.ErrUnavailable) {
			return nil
		}
		return err
	}
	return outcomes[0].Err
}

// announce says that the controller is ready, once it is.
func (r *root) announce(ctx context.Context) error {
	select {
	case <-r.sessions.led:
	case <-r.standing.followed:
	case <-ctx.Done():
		return nil // it stops before it was ready
	}
	ready := Ready{Addresses: r.addresses, Admin: AdminContext(r.Dir), Host: HostContext(r.Dir), Took: time.Since(r.began)}
	b, err := json.Marshal(ready)
	if err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	if err := pki.WriteFile(ReadyFile(r.Dir), b); err != nil {
		return err
	}
	r.Log.Info("controller is ready", "addresses", r.addresses, "took", ready.Took)
	if r.Ready != nil {
		r.Ready(ready)
	}
	return nil
}
