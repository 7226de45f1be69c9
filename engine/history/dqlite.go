//go:build dqlite && cgo

package history

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/canonical/go-dqlite"
	"github.com/canonical/go-dqlite/client"
	"github.com/canonical/go-dqlite/driver"

	"github.com/gantry-orchestrator/gantry/model"
)

// Backend says what this build keeps history in.
const Backend = "dqlite"

const (
	dialLimit     = time.Second // dqlite dials one member after the other
	attemptLimit  = 2 * time.Second
	joinLimit     = 10 * time.Second
	handoverLimit = 2 * time.Second
	alone         = "alone" // the only member's name without a cluster
)

// identity is a member for ever: raft knows it by its number, others dial it
// by its name.
type identity struct {
	ID     uint64 `json:"id"`
	Name   string `json:"name"`
	Joined bool   `json:"joined"` // it takes part
}

// node is one member of dqlite. Members are known by name: Cluster.Dial knows
// where they are.
type node struct {
	Config
	identity
	raft    *dqlite.Node
	inner   *inner
	store   *members
	options []client.Option
}

// openDatabase starts this member and waits until it takes part.
func openDatabase(ctx context.Context, c Config) (*database, error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	n, err := startNode(c)
	if err != nil {
		return nil, err
	}
	if err := n.join(ctx); err != nil {
		return nil, errors.Join(err, n.close())
	}
	reads, err := driver.New(n.store, driver.WithDialFunc(n.dial), driver.WithLogFunc(n.log), driver.WithAttemptTimeout(attemptLimit))
	if err != nil {
		return nil, errors.Join(err, n.close())
	}
	d := &database{close: n.close, node: n}
	for _, db := range []**sql.DB{&d.write, &d.read} {
		connector, err := reads.OpenConnector("history")
		if err != nil {
			return nil, errors.Join(err, n.close())
		}
		*db = sql.OpenDB(connector)
	}
	d.write.SetMaxOpenConns(1)
	d.read.SetMaxOpenConns(4)
	d.read.SetMaxIdleConns(0) // one that broke is not always known as such to the pool
	return d, nil
}

// startNode starts dqlite in this process. What listens does so on a socket
// inside the directory, which is this controller's alone.
func startNode(c Config) (*node, error) {
	n := &node{Config: c, store: &members{file: filepath.Join(c.Dir, "members.json")}}
	if err := n.identify(); err != nil {
		return nil, err
	}
	n.options = []client.Option{client.WithDialFunc(n.dial), client.WithLogFunc(n.log)}
	var err error
	if n.inner, err = newInner(c.Dir); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("@gantry-%s", NewSource())
	n.raft, err = dqlite.New(n.ID, n.Name, c.Dir, dqlite.WithBindAddress(name), dqlite.WithDialFunc(n.inner.spliced(n.dial)))
	if err == nil {
		err = n.inner.replace(name)
	}
	if err == nil {
		err = n.raft.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start dqlite in %s: %w", c.Dir, errors.Join(err, n.inner.close()))
	}
	c.door.let(n.inner.enter)
	return n, nil
}

// identify reads who this member is, or decides it at the first start.
func (n *node) identify() error {
	file := filepath.Join(n.Dir, "member.json")
	b, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(b, &n.identity)
		if err == nil && n.Cluster != nil && n.Name != n.Cluster.Self {
			err = fmt.Errorf("it is of member %s, not of %s: %w", n.Name, n.Cluster.Self, model.ErrConflict)
		}
	}
	if !errors.Is(err, os.ErrNotExist) {
		if err != nil {
			return fmt.Errorf("open the history in %s: %w", n.Dir, err)
		}
		return nil
	}
	n.identity = identity{ID: dqlite.BootstrapID, Name: alone, Joined: true}
	known := []string{alone}
	if n.Cluster != nil {
		n.Name = n.Cluster.Self
		known = []string{n.Name}
		if len(n.Cluster.Join) > 0 {
			n.ID, n.Joined = dqlite.GenerateID(n.Name), false
			known = n.Cluster.Join
		}
	}
	var infos []client.NodeInfo
	for _, name := range known {
		infos = append(infos, client.NodeInfo{Address: name})
	}
	return errors.Join(n.store.Set(context.Background(), infos), n.save())
}

func (n *node) save() error {
	b, err := json.Marshal(n.identity)
	if err != nil {
		return err
	}
	return writeWhole(filepath.Join(n.Dir, "member.json"), b)
}

// dial reaches a member, this one without a network.
func (n *node) dial(ctx context.Context, member string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	if member == n.Name {
		return n.inner.dial(ctx)
	}
	if n.Cluster == nil || n.Cluster.Dial == nil {
		return nil, fmt.Errorf("member %s of the history: this controller is alone: %w", member, model.ErrUnavailable)
	}
	return n.Cluster.Dial(ctx, member)
}

// join becomes a member, at the first start of one that others were there
// before. It may be called again. It has no vote until follow gives it one:
// dqlite does not bear that two members ask for theirs at once.
func (n *node) join(ctx context.Context) error {
	if n.Joined {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	if err := n.add(ctx); err != nil {
		return fmt.Errorf("join the history: %w", err)
	}
	n.Joined = true
	return n.save()
}

func (n *node) add(ctx context.Context) error {
	leader, err := client.FindLeader(ctx, n.store, n.options...)
	if err != nil {
		return err
	}
	defer leader.Close()
	infos, err := leader.Cluster(ctx)
	if err != nil {
		return err
	}
	known := false
	for _, other := range infos {
		known = known || other.ID == n.ID
		if other.Address == n.Name && other.ID != n.ID {
			// This member as it was before it lost its disk.
			if err := leader.Remove(ctx, other.ID); err != nil {
				return fmt.Errorf("remove what was lost: %w", err)
			}
		}
	}
	if !known {
		if err := leader.Add(ctx, client.NodeInfo{ID: n.ID, Address: n.Name, Role: client.Spare}); err != nil {
			return err
		}
	}
	if infos, err = leader.Cluster(ctx); err != nil {
		return err
	}
	return n.store.Set(ctx, infos)
}

// follow makes the members those named: whoever leads the model removes who
// left, and gives a vote to who has none.
func (n *node) follow(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	leader, err := client.FindLeader(ctx, n.store, n.options...)
	if err != nil {
		return fmt.Errorf("follow the members: %w", err)
	}
	defer leader.Close()
	infos, err := leader.Cluster(ctx)
	if err != nil {
		return fmt.Errorf("follow the members: %w", err)
	}
	for _, i := range infos {
		switch known := slices.Contains(names, i.Address); {
		case !known && i.Address != n.Name:
			err = cmp.Or(err, leader.Remove(ctx, i.ID))
		case known && i.Role == client.Spare:
			// A standby is sent the log; a spare that is to vote at once may never
			// catch up with a log that goes on.
			err = cmp.Or(err, leader.Assign(ctx, i.ID, client.StandBy), errSoon)
		case known && i.Role == client.StandBy:
			err = cmp.Or(err, leader.Assign(ctx, i.ID, client.Voter))
		}
	}
	if infos, e := leader.Cluster(ctx); e == nil {
		err = cmp.Or(err, n.store.Set(ctx, infos))
	}
	return err
}

var errSoon = fmt.Errorf("a member of the history does not vote yet: follow again: %w", model.ErrUnavailable)

// handOver lets another member lead before this one stops.
func (n *node) handOver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, handoverLimit)
	defer cancel()
	self, err := client.New(ctx, n.Name, n.options...)
	if err != nil {
		return
	}
	defer self.Close()
	if leader, err := self.Leader(ctx); err != nil || leader == nil || leader.Address != n.Name {
		return
	}
	infos, err := self.Cluster(ctx)
	for _, i := range infos {
		if err == nil && i.ID != n.ID && i.Role == client.Voter && self.Transfer(ctx, i.ID) == nil {
			return
		}
	}
}

func (n *node) close() error {
	n.handOver(context.Background())
	n.door.let(nil)
	err := n.raft.Close()
	return errors.Join(err, n.inner.close())
}

// log passes on what dqlite says of trouble.
func (n *node) log(level client.LogLevel, format string, args ...any) {
	if level >= client.LogError {
		n.Log.Warn("dqlite", "says", fmt.Sprintf(format, args...))
	}
}

// contended reports that another member is writing. dqlite does not wait for
// its lock.
func contended(err error) bool {
	var e driver.Error
	const primary = 0xff // the rest says more
	return errors.As(err, &e) && e.Code&primary == driver.ErrBusy
}
