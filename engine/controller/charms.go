package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/artifact"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

const (
	charmsLook     = time.Second      // between looks at what others keep
	charmsPatience = time.Minute      // with one controller
	charmsSpare    = 15 * time.Second // for an upload to be kept by a majority
)

// charms keeps on every controller what was uploaded to one. An upload is
// acknowledged once a majority has it; a controller fetches from the others
// what it lacks, and what it is asked for at once.
type charms struct {
	*artifact.Store
	root *root

	mu    sync.Mutex
	peers map[string]*client.Peers // by address
}

func newCharms(kept *artifact.Store, r *root) *charms {
	return &charms{Store: kept, root: r, peers: map[string]*client.Peers{}}
}

// run fetches what others keep, until ctx ends.
func (c *charms) run(ctx context.Context) error {
	tick := time.NewTicker(charmsLook)
	defer tick.Stop()
	for {
		others := c.root.roster.others(c.root.id)
		c.forget(others)
		for _, address := range others {
			if err := c.pull(ctx, address); err != nil && !errors.Is(err, model.ErrUnavailable) && ctx.Err() == nil {
				c.root.Log.Warn("cannot fetch the charms of another controller", "controller", address, "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.forget(nil)
			return nil
		}
	}
}

// peer is the connection to another controller.
func (c *charms) peer(address string) *client.Peers {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.peers[address]
	if !ok {
		p = client.DialPeers(c.root.pair, address)
		c.peers[address] = p
	}
	return p
}

// forget closes the connections to all but some controllers.
func (c *charms) forget(others map[string]string) {
	kept := slices.Collect(maps.Values(others))
	c.mu.Lock()
	defer c.mu.Unlock()
	for address, p := range c.peers {
		if !slices.Contains(kept, address) {
			_ = p.Close()
			delete(c.peers, address)
		}
	}
}

// pull fetches all that one controller has and this one lacks.
func (c *charms) pull(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, charmsPatience)
	defer cancel()
	peer := c.peer(address)
	theirs, err := peer.Archives(ctx)
	if err != nil {
		return err
	}
	for _, a := range theirs {
		if !c.Has(a.Hash) {
			if err := c.fetch(ctx, peer, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *charms) fetch(ctx context.Context, peer *client.Peers, a operator.CharmArchive) error {
	read, write := io.Pipe()
	unhook := context.AfterFunc(ctx, func() { _ = read.CloseWithError(ctx.Err()) })
	defer unhook()
	var g errgroup.Group
	g.Go(func() error {
		err := peer.Archive(ctx, a.Hash, write)
		return errors.Join(err, write.CloseWithError(err))
	})
	err := c.Keep(read, a)
	_ = read.CloseWithError(err) // so that the other end does not wait
	return errors.Join(err, g.Wait())
}

// Put implements api.Catalog: it returns once a majority keeps the archive.
func (c *charms) Put(archive io.Reader) (api.Artifact, error) {
	stored, err := c.Store.Put(archive)
	if err != nil {
		return stored, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), charmsSpare)
	defer cancel()
	for {
		others := c.root.roster.others(c.root.id)
		kept := 1
		for _, address := range others {
			if c.keeps(ctx, address, stored.Hash) {
				kept++
			}
		}
		if kept > (1+len(others))/2 {
			return stored, nil
		}
		select {
		case <-time.After(charmsLook / 4):
		case <-ctx.Done():
			return stored, fmt.Errorf("charm %s is kept by %d of %d controllers, which is no majority: upload it again once more of them answer: %w", stored.Declared.Meta.Name, kept, 1+len(others), model.ErrUnavailable)
		}
	}
}

func (c *charms) keeps(ctx context.Context, address, hash string) bool {
	ctx, cancel := context.WithTimeout(ctx, charmsLook)
	defer cancel()
	theirs, err := c.peer(address).Archives(ctx)
	return err == nil && slices.ContainsFunc(theirs, func(a operator.CharmArchive) bool { return a.Hash == hash })
}

// Find implements api.Catalog.
func (c *charms) Find(nameOrHash string) (api.Artifact, error) {
	found, err := c.Store.Find(nameOrHash)
	if !errors.Is(err, model.ErrNotFound) {
		return found, err
	}
	c.pullAll()
	return c.Store.Find(nameOrHash)
}

// Open implements api.Catalog.
func (c *charms) Open(hash string) (io.ReadCloser, error) {
	archive, err := c.Store.Open(hash)
	if !errors.Is(err, model.ErrNotFound) {
		return archive, err
	}
	c.pullAll()
	return c.Store.Open(hash)
}

// pullAll fetches what is missing here from whoever answers.
func (c *charms) pullAll() {
	ctx, cancel := context.WithTimeout(context.Background(), charmsPatience)
	defer cancel()
	for _, address := range c.root.roster.others(c.root.id) {
		_ = c.pull(ctx, address) // the next may have it
	}
}
