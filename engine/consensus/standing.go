package consensus

import (
	"errors"

	"github.com/hashicorp/raft"
)

// NotLeading reports whether an error is of a node that does not lead and
// therefore did nothing.
func NotLeading(err error) bool { return errors.Is(err, errNotLeader) }

// Lag is, on the leader, how many entries of the log each other member is not
// known to have.
func (n *Node) Lag() map[string]uint64 {
	heard, _ := n.line.contacts()
	last := n.raft.LastIndex()
	lag := map[string]uint64{}
	for _, s := range n.raft.GetConfiguration().Configuration().Servers {
		if s.ID != raft.ServerID(n.config.ID) {
			lag[string(s.ID)] = last - min(last, heard(s.ID).match)
		}
	}
	return lag
}
