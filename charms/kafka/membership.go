package kafka

import (
	"fmt"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The calls of the charm; internal/operate carries them out.
const (
	callNode       = "node"
	callHealthy    = "healthy"
	callMember     = "member"
	callTraces     = "traces"
	callVote       = "vote"
	callLeave      = "leave"
	callUnregister = "unregister"
	callReplicate  = "replicate"
	callClient     = "client"
	callDrop       = "drop-client"
)

// turnMembership lets one node at a time come or go, turnRestart be restarted.
const (
	turnMembership = "membership"
	turnRestart    = "restart"
)

// membershipTurn is held by a node from its first step into or out of the
// cluster until it is a whole member of it, or none.
func (n *node) membershipTurn() *effect.Turn {
	return &effect.Turn{Name: turnMembership, Limit: 1, Clear: memberProbe}
}

// vote makes a voter of a later controller once it has caught up.
func (n *node) vote() {
	if !n.settings.controller || n.founds() {
		return
	}
	n.b.Task(effect.Task{
		ID: "task/vote", Key: n.cluster.ID, Turn: n.membershipTurn(), After: []effect.ID{serviceID}, Idempotent: true, Timeout: 5 * time.Minute,
		Run: effect.Exec{Call: callVote, User: n.user(), Args: n.args("listener", address(n.in.Spec.Address, controllerPort))},
	})
}

// traces are what the others still have of a node that leaves.
type traces struct {
	Voter      bool `json:"voter"`
	Held       int  `json:"held"` // partitions
	Registered bool `json:"registered"`
}

const leftRecord = "left"

func (n *node) left() bool {
	_, recorded := sdk.RecordOf(n.in, effect.UnitScope, leftRecord)
	return recorded
}

// depart takes the node out of the cluster while it still serves: its replicas
// are moved to others and its vote is given back before it stops. It lets the
// unit go only when the others know nothing of it any more.
func (n *node) depart() model.Status {
	self := n.in.Spec.Unit
	if len(n.members()) == 0 {
		return sdk.Active("the last node") // nobody is left to leave
	}
	if !n.begun && !n.lost && !n.known {
		n.b.Hold(self, "it may be a member, and does not say so yet")
		return sdk.Waiting("for Kafka to say whether it is a member")
	}
	n.b.Probe(effect.Probe{
		ID: tracesProbe, Interval: 2 * time.Second, Timeout: 30 * time.Second,
		Exec: &effect.Exec{Call: callTraces, Args: n.args(), User: n.user()},
	})
	seen, known := sdk.Fact[traces](n.in, tracesProbe)
	switch {
	case known && seen == (traces{}) && n.left():
		return sdk.Maintenance("left the cluster")
	case n.left():
		n.hold("the others still know its broker", seen)
		n.forget()
		return sdk.Maintenance("leaving the cluster: it has stopped")
	}
	n.hold("the others still need it", seen)
	if known && !seen.Voter && seen.Held == 0 {
		n.b.Record(effect.UnitScope, leftRecord, "yes")
	}
	n.b.Task(effect.Task{
		ID: "task/leave", Key: n.cluster.ID, Turn: n.membershipTurn(), Idempotent: true, Timeout: time.Hour,
		Run: effect.Exec{Call: callLeave, Args: n.args("leaving", strings.Join(n.others(), ",")), User: n.user()},
	})
	return sdk.Maintenance("leaving the cluster: %d partitions to hand over", seen.Held)
}

// hold keeps the unit; every partition that is handed over is progress.
func (n *node) hold(reason string, seen traces) {
	n.b.Hold(n.in.Spec.Unit, "%s: %d partitions", reason, seen.Held)
}

// forget has the others drop the broker, which has stopped.
func (n *node) forget() {
	if !n.settings.broker {
		return
	}
	if open, known := sdk.Fact[bool](n.in, openProbe); !known || open {
		return
	}
	n.b.Task(effect.Task{
		ID: "task/unregister", Key: n.cluster.ID, Idempotent: true, Timeout: 2 * time.Minute,
		Run: effect.Exec{Call: callUnregister, Args: n.args(), User: n.user()},
	})
}

// others are the numbers of the peers that leave as well: nothing is handed
// over to them.
func (n *node) others() []string {
	var all []string
	for _, p := range sdk.Peers(n.in) {
		if p.Life != model.Alive {
			all = append(all, fmt.Sprint(numberOf(p.Unit, n.settings)))
		}
	}
	return all
}

// replicate gives what Kafka keeps for itself as many replicas as there are to
// be, and says how many of them a write waits for.
func (n *node) replicate() {
	if !n.settings.broker || !n.serving() {
		return
	}
	replicas := factor(n.in.Spec.Planned)
	n.b.Task(effect.Task{
		ID: "task/replicate", Key: fmt.Sprint(replicas), Scope: effect.ApplicationScope, Idempotent: true, Timeout: 10 * time.Minute,
		Run:   effect.Exec{Call: callReplicate, Args: n.args("factor", replicas, "minimum", minimum(replicas)), User: n.user()},
		After: []effect.ID{serviceID},
	})
}
