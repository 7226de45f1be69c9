package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// Backup writes the encoded state after every change that was acknowledged
// before the call, and returns its index. It is the leader's.
func (n *Node) Backup(ctx context.Context, w io.Writer) (index uint64, err error) {
	s, err := n.Read(ctx)
	if err != nil {
		return 0, fmt.Errorf("back up: %w", err)
	}
	if err := s.Encode(w); err != nil {
		return 0, fmt.Errorf("back up: %w", err)
	}
	return s.Index(), nil
}

// Found makes a directory for a member that is alone and begins with a state
// that Backup wrote. Nothing may be there: a log is never overwritten. It
// returns the index of the state.
func Found(dir, id, address string, encoded io.Reader) (index uint64, err error) {
	lock, err := lockDir(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	for _, name := range []string{"wal", "snapshots"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return 0, fmt.Errorf("found a log in %s: there is one: choose an empty directory: %w", dir, model.ErrConflict)
		}
	}
	// Decoded and encoded anew, so that a damaged one founds nothing.
	s, err := state.Decode(encoded)
	if err != nil {
		return 0, fmt.Errorf("found a log in %s: %w", dir, err)
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(dir, retainedSnapshots, raftLogger(nil))
	if err != nil {
		return 0, fmt.Errorf("found a log in %s: %w", dir, err)
	}
	_, nowhere := raft.NewInmemTransport(raft.ServerAddress(address))
	sink, err := snapshots.Create(raft.SnapshotVersionMax, 1, 1, alone(id, address), 1, nowhere)
	if err != nil {
		return 0, fmt.Errorf("found a log in %s: %w", dir, err)
	}
	if err := (snapshot{&s}).Persist(sink); err != nil {
		return 0, fmt.Errorf("found a log in %s: %w", dir, err)
	}
	return s.Index(), nil
}
