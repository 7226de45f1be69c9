package consensus

import (
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

const (
	// silence is how long a member hears nothing of the leader before it asks
	// the others whether to elect anew; they refuse while they hear it. A leader
	// that is not heard by a majority for as long stops leading.
	silence = 300 * time.Millisecond
	// answerTimeout is how long another member may take for an answer.
	answerTimeout = 5 * time.Second

	// a write of the log that is seen this often, at this interval, has stalled.
	stallLook, stallLooks = time.Second, 10

	retainedSnapshots = 2
	snapshotThreshold = 4096 // entries since the last snapshot
	snapshotInterval  = 30 * time.Second
)

func raftConfig(id string, logger hclog.Logger, turns chan<- bool) *raft.Config {
	r := raft.DefaultConfig()
	r.LocalID = raft.ServerID(id)
	r.Logger = logger
	r.NotifyCh = turns
	r.ShutdownOnRemove = false
	r.NoLegacyTelemetry = true
	return r
}

// raftTiming is what holds between members on one network.
func raftTiming(r *raft.Config) {
	r.HeartbeatTimeout, r.ElectionTimeout, r.LeaderLeaseTimeout = silence+hurry, silence+hurry, silence
	r.SnapshotThreshold = snapshotThreshold
	r.SnapshotInterval = snapshotInterval
	r.TrailingLogs = snapshotThreshold
}

// hurry is what hasten takes off a timeout.
const hurry = time.Millisecond

// hasten has a follower look at once whether it has heard of a leader: the
// only member has nobody to wait for. Raft looks when a timeout gets shorter.
func hasten(r *raft.Raft) error {
	c := r.ReloadableConfig()
	c.HeartbeatTimeout -= hurry
	if err := r.ReloadConfig(c); err != nil {
		return fmt.Errorf("start consensus: %w", err)
	}
	return nil
}
