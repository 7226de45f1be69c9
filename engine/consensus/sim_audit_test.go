package consensus

import (
	"crypto/sha256"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// simAudit holds what members do against what must always hold.
type simAudit struct {
	cluster *simCluster
	mu      sync.Mutex
	leaders map[uint64]raft.ServerAddress // by term
	entries map[uint64]simEntry           // applied anywhere, by index
	done    map[string]bool               // keys of commands that had an effect
}

type simEntry struct {
	term uint64
	sum  [sha256.Size]byte
}

func newSimAudit(c *simCluster) *simAudit {
	return &simAudit{cluster: c, leaders: map[uint64]raft.ServerAddress{}, entries: map[uint64]simEntry{}, done: map[string]bool{}}
}

// sent sees every message: one leader a term.
func (a *simAudit) sent(from raft.ServerAddress, message any) {
	m, ok := message.(*raft.AppendEntriesRequest)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch before, known := a.leaders[m.Term]; {
	case !known:
		a.leaders[m.Term] = from
		a.cluster.logf("%s leads term %d", from, m.Term)
	case before != from:
		a.cluster.fail("%s and %s both lead term %d", before, from, m.Term)
	}
}

// applied sees every entry that a member applies: the same at an index
// everywhere. It reports whether nobody applied it before.
func (a *simAudit) applied(log *raft.Log) (first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := simEntry{term: log.Term, sum: sha256.Sum256(log.Data)}
	before, known := a.entries[log.Index]
	if known && before != e {
		a.cluster.fail("entry %d was applied of term %d and of term %d", log.Index, before.term, e.term)
	}
	a.entries[log.Index] = e
	return !known
}

// auditedMachine is a member's machine under audit.
type auditedMachine struct {
	*machine
	audit *simAudit
}

// Apply implements raft.FSM.
func (m *auditedMachine) Apply(log *raft.Log) any {
	before := *m.current.Load()
	answer := m.machine.Apply(log)
	if !m.audit.applied(log) {
		return answer // it was checked; that all come to the same state is checked in the end
	}
	commands, _ := decodeEntry(log.Data) // it was decoded already
	for i, c := range commands {
		after, one := before.ApplyBatch(commands[i : i+1])
		m.audit.check(before, after, c, one[0])
		before = after
	}
	return answer
}

// check holds one command against an independent notion of what may happen.
func (a *simAudit) check(before, after state.State, c state.Command, o state.Outcome) {
	fail := a.cluster.fail
	if c.Key != "" && len(o.Result.Changed) > 0 {
		a.mu.Lock()
		if a.done[c.Key] {
			fail("%s was applied twice", c.Key)
		}
		a.done[c.Key] = true
		a.mu.Unlock()
	}
	for _, was := range before.Models() {
		if is, ok := after.Model(was.Name); ok && is.UUID == was.UUID && is.Life < was.Life {
			fail("model %s was %v and is %v", was.Name, was.Life, is.Life)
		}
	}
	if o.Err != nil || len(o.Result.Changed) == 0 {
		return
	}
	for _, op := range c.Ops {
		switch op := op.(type) {
		case state.OpenClaim:
			if l, _ := before.Lease(simApplication); l.Token != op.Token || l.Holder != op.Unit {
				fail("%v opened a claim with token %d, and %v leads with %d", op.Unit, op.Token, l.Holder, l.Token)
			}
			if was, ok := before.Claim(simApplication, op.Task, op.TaskKey); ok && was.State == effect.ClaimDone && was.Token != op.Supersedes {
				fail("%v claimed in place of %d what was done under %d", op.Unit, op.Supersedes, was.Token)
			}
		case state.CloseClaim:
			if claim, _ := before.Claim(simApplication, op.Task, op.TaskKey); claim.Token != op.Token {
				fail("%v closed a claim with token %d, and it was opened with %d", op.Unit, op.Token, claim.Token)
			}
		}
	}
}
