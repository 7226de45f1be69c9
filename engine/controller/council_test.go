package controller

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/controller/port"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// member is a controller on a machine of a world. It keeps its state in dir
// also while it does not run.
type member struct {
	dir   string
	agent string // file of the identity of its machine's agent
	ready Ready
	end   func() error
}

// council is a world with three controllers: its own, and two on machines.
type council struct {
	*world
	members []*member
}

const controllerCharm = `
name: controller
summary: A further controller.
description: Joins the others.
type: charm
`

func withControllerCharm(t *testing.T) func(*Config) {
	return func(c *Config) { c.BuiltIn = append(c.BuiltIn, artifactOf(t, "h-controller", controllerCharm)) }
}

func beginCouncil(t *testing.T) *council {
	t.Helper()
	w := beginAlone(t, t.TempDir(), withControllerCharm(t))
	w.fakes.Go(func() error { return w.host(w.ctx, &w.fakes) })
	c := &council{world: w}
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: Model}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: Model, Charm: "controller", Units: 2}))(t)
	w.converge(Model)
	for _, m := range w.status(Model).Machines {
		c.members = append(c.members, &member{dir: t.TempDir(), agent: filepath.Join(w.dir, "agent-"+m.UUID+".json")})
	}
	for _, m := range c.members {
		c.start(m)
	}
	c.await("all vote", func(list []operator.Controller) bool {
		return len(list) == 3 && !slices.ContainsFunc(list, func(m operator.Controller) bool { return m.Role == operator.CatchingUp || !m.Answers })
	})
	return c
}

// start runs a member until it takes part.
func (c *council) start(m *member) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready := make(chan Ready, 1)
	config := Config{
		Dir: m.dir, Listen: "127.0.0.1:0", Version: "test", BuiltIn: builtIn(c.t),
		Log: slog.New(slog.NewTextHandler(c.t.Output(), nil)), Ready: func(r Ready) { ready <- r },
		Machine: func() (client.Context, error) { return client.Load(m.agent) },
	}
	withControllerCharm(c.t)(&config)
	var g errgroup.Group
	ended := make(chan error, 1)
	g.Go(func() error { ended <- Run(ctx, config); return nil })
	m.end = sync.OnceValue(func() error {
		cancel()
		_ = g.Wait()
		return <-ended
	})
	c.t.Cleanup(func() {
		if err := m.end(); err != nil {
			c.t.Errorf("a member ended with %v", err)
		}
	})
	select {
	case m.ready = <-ready:
	case err := <-ended:
		c.t.Fatalf("a member ended before it was ready: %v", err)
	case <-time.After(patience):
		c.t.Fatal("a member was not ready in time")
	}
}

// stop ends a member as a clean stop does.
func (c *council) stop(m *member) {
	c.t.Helper()
	if err := m.end(); err != nil {
		c.t.Fatal(err)
	}
}

// await asks for the controllers until they are as they should be.
func (c *council) await(what string, is func([]operator.Controller) bool) (list []operator.Controller) {
	c.t.Helper()
	c.poll(what, func() error {
		var err error
		if list, err = c.admin.ListMembers(c.ctx); err == nil && (c.admin.Stale() != "" || !is(list)) {
			err = fmt.Errorf("%+v, stale: %q", list, c.admin.Stale())
		}
		return err
	})
	return list
}

func (c *council) poll(what string, try func() error) {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: %v", what, err)
		}
		<-tick.C
	}
}

// identity is a certificate of a member, by ID, which every member's authority
// can make.
func (c *council) identityOf(m *member) client.Context {
	c.t.Helper()
	authority := must(pki.OpenAuthority(filepath.Join(m.dir, "pki"), time.Now()))(c.t)
	key, certificate, _, err := authority.Issue(pki.Controller, must(ownID(m.dir))(c.t), time.Now(), 0)
	if err != nil {
		c.t.Fatal(err)
	}
	return client.Context{CA: authority.PEM(), Certificate: certificate, Key: key}
}

// TestThreeControllers tells one story of three, since to have them takes
// seconds.
func TestThreeControllers(t *testing.T) {
	c := beginCouncil(t)
	for _, story := range []struct {
		name string
		tell func(*testing.T, *council)
	}{
		{"who does not lead refuses and names who does", refusesAndRefers},
		{"a client that knows one follower is led on, and keeps where all are", isLedOn},
		{"an uploaded charm reaches all, and a majority before it is acknowledged", uploadReachesAll},
		{"a member is let in where a controller is", memberIsLetIn},
		{"without a majority reads are stale with the reason, and writes are refused with it", staleWithReason},
		{"a member that was removed is refused by every port and service", removedIsRefused},
	} {
		t.Run(story.name, func(t *testing.T) { story.tell(t, c) })
	}
}

// follower is a member that does not lead, with its address.
func (c *council) follower() (*member, operator.Controller) {
	c.t.Helper()
	list := c.await("somebody leads", func(list []operator.Controller) bool {
		return slices.ContainsFunc(list, func(m operator.Controller) bool { return m.Role == operator.Leads })
	})
	for _, m := range c.members {
		id := must(ownID(m.dir))(c.t)
		for _, row := range list {
			if row.ID == id && row.Role == operator.Follows {
				return m, row
			}
		}
	}
	c.t.Fatalf("no member follows: %+v", list)
	return nil, operator.Controller{}
}

func refusesAndRefers(t *testing.T, c *council) {
	_, row := c.follower()
	conn := raw(t, row.Address, must(client.Load(c.ready.Admin))(t))
	for _, m := range served(t) {
		if m.Access == wire.Peer || slices.Contains(ends, m.Name) {
			continue
		}
		if err := wire.Error(call(conn, m, false)); !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), "does not lead: ") && !strings.Contains(err.Error(), " does") {
			t.Errorf("%s of a follower answered %v", m.Name, err)
		}
	}
}

func isLedOn(t *testing.T, c *council) {
	_, row := c.follower()
	one := must(client.Load(c.ready.Admin))(t)
	one.Addresses, one.Controllers = []string{row.Address}, nil
	path := filepath.Join(t.TempDir(), "one.json")
	if err := one.Save(path); err != nil {
		t.Fatal(err)
	}
	conn := c.dial(path)
	must(conn.AddModel(c.ctx, operator.AddModel{Name: "m"}))(t) // unary
	seen := errors.New("seen")
	err := c.dial(path).WatchStatus(c.ctx, "m", 0, func(operator.Status) error { return seen }) // a stream
	if !errors.Is(err, seen) {
		t.Errorf("the stream: %v", err)
	}
	var all []string
	for _, m := range must(conn.ListMembers(c.ctx))(t) {
		all = append(all, m.Address)
	}
	kept := must(client.Load(path))(t)
	slices.Sort(all)
	slices.Sort(kept.Controllers)
	if !slices.Equal(kept.Controllers, all) || !slices.Equal(kept.Addresses, one.Addresses) {
		t.Errorf("the file has %v and %v, want %v beside what was given", kept.Addresses, kept.Controllers, all)
	}
}

func uploadReachesAll(t *testing.T, c *council) {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{"metadata.yaml": "name: local\nsummary: s\ndescription: d\n", "charm": "program"} {
		h := &zip.FileHeader{Name: name}
		h.SetMode(0o755)
		f := must(z.CreateHeader(h))(t)
		must(io.WriteString(f, text))(t)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	uploaded := must(c.admin.UploadCharm(c.ctx, "m", &archive))(t)
	keep := func() (count int) {
		for _, dir := range []string{c.dir, c.members[0].dir, c.members[1].dir} {
			if _, err := os.Stat(filepath.Join(dir, "charms", uploaded.Revision+".charm")); err == nil {
				count++
			}
		}
		return count
	}
	if at := keep(); at < 2 {
		t.Errorf("acknowledged with %d of 3 that keep it", at)
	}
	c.poll("all keep the charm", func() error {
		if at := keep(); at < 3 {
			return fmt.Errorf("%d of 3 do", at)
		}
		return nil
	})
}

// peerRoutes calls what controllers call of each other.
func (c *council) peerRoutes(t *testing.T, address string, as client.Context, self operator.ControllerSelf) map[string]error {
	t.Helper()
	pair := must(tls.X509KeyPair(as.Certificate, as.Key))(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(as.CA)
	config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: client.ServerName}
	peers := client.DialPeers(config, address)
	defer peers.Close()
	_, listing := peers.Archives(c.ctx)
	answers := map[string]error{"announce": peers.Announce(c.ctx, self), "archives": listing, "archive": peers.Archive(c.ctx, "h-none", io.Discard)}
	config = config.Clone()
	config.NextProtos = []string{string(port.Consensus)}
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Who is let in waits for what is said; who is not is cut off.
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	_, answers["consensus"] = conn.Read(make([]byte, 1))
	return answers
}

func memberIsLetIn(t *testing.T, c *council) {
	m, row := c.follower()
	self := operator.ControllerSelf{ID: row.ID, Address: row.Address, Version: row.Version, Level: row.Level}
	answers := c.peerRoutes(t, c.ready.Addresses[0], c.identityOf(m), self)
	var timeout net.Error
	if answers["announce"] != nil || answers["archives"] != nil || !errors.Is(answers["archive"], model.ErrNotFound) ||
		!errors.As(answers["consensus"], &timeout) || !timeout.Timeout() {
		t.Errorf("a member was told %v", answers)
	}
	self.ID = "another"
	if err := c.peerRoutes(t, c.ready.Addresses[0], c.identityOf(m), self)["announce"]; !errors.Is(err, model.ErrDenied) {
		t.Errorf("a member speaks of another: %v", err)
	}
}

func staleWithReason(t *testing.T, c *council) {
	for _, m := range c.members {
		c.stop(m)
	}
	c.poll("reads are stale", func() error {
		if _, err := c.admin.Status(c.ctx, "m"); err != nil || c.admin.Stale() == "" {
			return fmt.Errorf("%v, stale: %q", err, c.admin.Stale())
		}
		return nil
	})
	for _, part := range []string{"index ", "no leader since ", "1 of 3 controllers answer", "missing: ", "controller/0 at ", "controller/1 at "} {
		if !strings.Contains(c.admin.Stale(), part) {
			t.Errorf("the answer says %q, want %q", c.admin.Stale(), part)
		}
	}
	_, err := c.admin.AddModel(c.ctx, operator.AddModel{Name: "lost"})
	if !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), "nothing was changed, ") || !strings.Contains(err.Error(), "1 of 3 controllers answer") {
		t.Errorf("a write without a majority: %v", err)
	}
	conn := raw(t, c.ready.Addresses[0], must(client.Load(c.ready.Admin))(t))
	if err := conn.Invoke(c.ctx, "/gantry.v1.Controller/Info", &emptypb.Empty{}, &emptypb.Empty{}); err != nil {
		t.Errorf("what only reads: %v", err)
	}
	for _, m := range c.members {
		c.start(m) // at another port
	}
	list := c.await("all are back where they are now", func(list []operator.Controller) bool {
		return !slices.ContainsFunc(c.members, func(m *member) bool {
			return !slices.ContainsFunc(list, func(row operator.Controller) bool { return row.Address == m.ready.Addresses[0] && row.Answers })
		})
	})
	if len(list) != 3 {
		t.Errorf("%d controllers", len(list))
	}
}

func removedIsRefused(t *testing.T, c *council) {
	m, row := c.follower()
	as := c.identityOf(m)
	if err := c.admin.RemoveMember(c.ctx, row.ID); err != nil {
		t.Fatal(err)
	}
	self := operator.ControllerSelf{ID: row.ID, Address: row.Address, Version: row.Version, Level: row.Level}
	for _, left := range c.await("two are left", func(list []operator.Controller) bool { return len(list) == 2 }) {
		// A follower hears of the removal after the leader has it.
		c.poll("all is refused at "+left.Address, func() error {
			var open []error
			for what, err := range c.peerRoutes(t, left.Address, as, self) {
				if refused := errors.Is(err, model.ErrDenied); refused == (what == "consensus") || what == "consensus" && !errors.Is(err, io.EOF) && !strings.Contains(err.Error(), "reset") {
					open = append(open, fmt.Errorf("%s: %v", what, err))
				}
			}
			return errors.Join(open...)
		})
	}
	membership := must(client.DialMembership(must(client.Load(m.agent))(t)))(t)
	defer membership.Close()
	if _, err := membership.Join(c.ctx, self); !errors.Is(err, model.ErrDenied) {
		t.Errorf("it joins again: %v", err)
	}
	must(c.admin.AddModel(c.ctx, operator.AddModel{Name: "after"}))(t)
}
