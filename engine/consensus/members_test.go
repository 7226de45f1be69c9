package consensus

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/model"
)

// memberTLS is mutual TLS under one self-signed certificate.
func memberTLS(t *testing.T) *tls.Config {
	t.Helper()
	folder := t.TempDir()
	writeCertificate(t, folder)
	secured, err := loaded(folder)
	if err != nil {
		t.Fatal(err)
	}
	return secured
}

// member is a configuration on loopback under mutual TLS.
func member(t *testing.T, id, dir string, secured *tls.Config) Config {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", secured)
	if err != nil {
		t.Fatal(err)
	}
	dialler := tls.Dialer{Config: secured}
	return Config{
		ID: id, Dir: dir, Address: l.Addr().String(), Listener: l,
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return dialler.DialContext(ctx, "tcp", address)
		},
	}
}

// trio is three members of which the first founded.
func trio(t *testing.T) (nodes map[*Node]running, founder *Node) {
	t.Helper()
	secured := memberTLS(t)
	nodes = map[*Node]running{}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, id := range []string{"c1", "c2", "c3"} {
		c := member(t, id, t.TempDir(), secured)
		c.Join = founder != nil
		n, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		nodes[n] = run(t, n)
		if founder == nil {
			founder = n
			led(t, founder)
			continue
		}
		for range 2 { // the second time changes nothing
			if err := founder.AddMember(ctx, Member{ID: id, Address: c.Address}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return nodes, founder
}

func TestThreeMembersAgreeAndOutliveTheirLeader(t *testing.T) {
	nodes, leader := trio(t)
	propose(t, leader, addModel("", "a"))
	if members := leader.Members(); len(members) != 3 || !members[0].Voter || !members[2].Voter {
		t.Errorf("the members are %+v", members)
	}
	if err := nodes[leader].end(); err != nil {
		t.Fatal(err)
	}
	delete(nodes, leader)
	next := anyLeader(t, nodes)
	propose(t, next, addModel("", "b"))
	want := next.State()
	for _, name := range []string{"a", "b"} {
		if _, ok := want.Model(model.ModelName(name)); !ok {
			t.Errorf("the new leader does not know %s", name)
		}
	}
	for n := range nodes {
		for n.State().Index() < want.Index() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			_, _, err := n.Changes(ctx, n.State().Index())
			cancel()
			if err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(encoded(t, n.State()), encoded(t, want)) {
			t.Error("two members encode to different bytes")
		}
	}
}

// anyLeader waits until one of the nodes leads.
func anyLeader(t *testing.T, nodes map[*Node]running) *Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	found := make(chan *Node, len(nodes))
	var g errgroup.Group
	for n := range nodes {
		g.Go(func() error {
			if n.Led(ctx) == nil {
				found <- n
			}
			return nil
		})
	}
	select {
	case n := <-found:
		return n
	case <-ctx.Done():
		t.Fatal("nobody leads")
		return nil
	}
}

func TestLeadershipIsHandedOnAndMembersGo(t *testing.T) {
	nodes, founder := trio(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := founder.Transfer(ctx, "c3"); err != nil {
		t.Fatal(err)
	}
	delete(nodes, founder)
	next := anyLeader(t, nodes)
	if next.config.ID != "c3" {
		t.Errorf("%s leads, not c3", next.config.ID)
	}
	if err := next.RemoveMember(ctx, "c3"); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("the leader that removes itself was told %v", err)
	}
	delete(nodes, next)
	nodes[founder] = running{}
	last := anyLeader(t, nodes)
	if err := last.RemoveMember(ctx, "c3"); err != nil {
		t.Fatal(err)
	}
	if err := last.RemoveMember(ctx, "c3"); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if members := last.Members(); len(members) != 2 {
		t.Errorf("the members are %+v", members)
	}
}

func TestAMajorityInReachIsKept(t *testing.T) {
	nodes, leader := trio(t)
	ctx := context.Background()
	for n, r := range nodes {
		if n.config.ID == "c2" {
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitUntil(t, leader, func() bool { return leader.Contact()["c2"] > reachable })
	if err := leader.RemoveMember(ctx, "c3"); !errors.Is(err, model.ErrConflict) {
		t.Errorf("removing c3 while c2 is down: %v", err)
	}
	if err := leader.RemoveMember(ctx, "c2"); err != nil {
		t.Errorf("removing c2, which is down: %v", err)
	}
}

// waitUntil asks again with every answer of a member.
func waitUntil(t *testing.T, n *Node, reached func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for !reached() {
		_, changed := n.line.contacts()
		select {
		case <-changed:
		case <-deadline:
			t.Fatal("it did not come to pass")
		}
	}
}

func TestAMemberThatLagsHasNoVote(t *testing.T) {
	founder := start(t, t.TempDir())
	led(t, founder.Node)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := founder.AddMember(ctx, Member{ID: "c2", Address: "127.0.0.1:1"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a member that does not answer was added: %v", err)
	}
	for _, m := range founder.Members() {
		if m.ID == "c2" && m.Voter {
			t.Error("it has a vote")
		}
	}
	propose(t, founder.Node, addModel("", "still"))
	if err := founder.RemoveMember(context.Background(), "c2"); err != nil {
		t.Error(err)
	}
}

func TestASingleMemberMayMove(t *testing.T) {
	dir := t.TempDir()
	for range 2 { // each listens on a port of its own
		n := start(t, dir)
		led(t, n.Node)
		propose(t, n.Node, addModel("", ""))
		waitForAddress(t, n.Node)
		if err := n.end(); err != nil {
			t.Fatal(err)
		}
	}
}

func waitForAddress(t *testing.T, n *Node) {
	t.Helper()
	for range 100 {
		if n.Members()[0].Address == n.config.Address {
			return
		}
		// Each commit applies what was committed before it.
		propose(t, n, addModel("", ""))
	}
	t.Errorf("the members are %+v, and it listens on %s", n.Members(), n.config.Address)
}

func TestABackupFoundsTheSameStateElsewhere(t *testing.T) {
	n := start(t, t.TempDir())
	led(t, n.Node)
	propose(t, n.Node, addModel("k", "a"))
	var backup bytes.Buffer
	index, err := n.Backup(context.Background(), &backup)
	if err != nil {
		t.Fatal(err)
	}
	want := encoded(t, n.State())
	dir := t.TempDir()
	founded, err := Found(dir, "c1", "10.0.0.1:1", bytes.NewReader(backup.Bytes()))
	if err != nil || founded != index {
		t.Fatalf("founded at %d, %v; backed up at %d", founded, err, index)
	}
	if _, err := Found(dir, "c1", "10.0.0.1:1", bytes.NewReader(backup.Bytes())); !errors.Is(err, model.ErrConflict) {
		t.Errorf("founded over a log: %v", err)
	}
	again := start(t, dir)
	led(t, again.Node)
	if !bytes.Equal(encoded(t, again.State()), want) {
		t.Error("the state differs")
	}
	if o := propose(t, again.Node, addModel("k", "a"))[0]; o.Err != nil {
		t.Errorf("a retry of before the backup was told %v", o.Err)
	}
}

func TestAnOpenNodeCanBeReached(t *testing.T) {
	if _, err := Open(Config{ID: "c1", Dir: t.TempDir()}); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("without a listener: %v", err)
	}
}
