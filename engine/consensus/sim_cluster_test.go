package consensus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/gantry-orchestrator/gantry/engine/consensus/linear"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// simCluster is controllers in virtual time: raft and Node as they are, over a
// network and disks that a seed has fail.
type simCluster struct {
	seed    uint64
	began   time.Time
	net     *simNet
	members []*simMember
	history linear.History
	audit   *simAudit
	busy    sync.WaitGroup // clients, agents, and faults that end
	over    chan struct{}  // closed when all faults have begun

	mu    sync.Mutex
	trace []string
	wrong string // the first violation
}

// simMember is a controller's machine.
type simMember struct {
	cluster *simCluster
	id      string
	address raft.ServerAddress
	disk    *simDisk
	founder bool

	mu      sync.Mutex
	process *simProcess // nil while it is down
	skew    atomic.Int64
	gone    bool // for good
}

// simProcess is one run of a controller.
type simProcess struct {
	*Node
	end    *simEnd
	pause  *simPause
	late   *sync.WaitGroup // requests that outlived who made them
	cancel context.CancelFunc
	done   chan struct{}
}

func (c *simCluster) logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := fmt.Sprintf("%8.3fs  ", time.Since(c.began).Seconds()) + fmt.Sprintf(format, args...)
	c.trace = append(c.trace, line)
	if *tracing {
		fmt.Fprintln(os.Stderr, line)
	}
}

// fail notes a violation; the first counts.
func (c *simCluster) fail(format string, args ...any) {
	c.logf("VIOLATED: "+format, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong == "" {
		c.wrong = fmt.Sprintf(format, args...)
	}
}

func newSimCluster(seed uint64, size int) *simCluster {
	c := &simCluster{seed: seed, began: time.Now(), net: newSimNet(seed), over: make(chan struct{})}
	c.audit = newSimAudit(c)
	c.net.spy = c.audit.sent
	for range size {
		c.add()
	}
	c.machines()[0].founder = true
	return c
}

// add makes a machine that is down and has never run.
func (c *simCluster) add() *simMember {
	id := fmt.Sprintf("c%d", len(c.machines())+1)
	m := &simMember{cluster: c, id: id, address: raft.ServerAddress(id + ":1"), disk: newSimDisk(c.seed<<8 + uint64(len(c.machines())))}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, m)
	return m
}

// machines are all that there are, those that are down too.
func (c *simCluster) machines() []*simMember {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.members)
}

// simTiming has few entries between snapshots.
func simTiming(r *raft.Config) {
	raftTiming(r)
	r.SnapshotThreshold, r.TrailingLogs, r.SnapshotInterval = 20, 5, 300*time.Millisecond
}

// start runs a controller on a machine, which may fail to.
func (m *simMember) start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil || m.gone {
		return
	}
	c := m.cluster
	m.disk.pause.end() // it was another process
	m.disk.switchOn()
	end := c.net.join(m.address, m.disk.pause)
	m.disk.cut = func() { c.net.leave(end) }
	d, err := m.disk.open()
	if err == nil {
		m.disk.cut = func() {
			c.net.leave(end)
			go func() { _ = d.checked("run", errPower) }() // whatever it was at
		}
	}
	if err != nil {
		c.logf("%s does not start: %v", m.id, err)
		c.net.leave(end)
		return
	}
	state := newMachine()
	n, err := newNode(Config{ID: m.id, Address: string(m.address), Join: !m.founder, Now: m.now}, parts{
		disk: d, transport: end, machine: state, fsm: &auditedMachine{state, c.audit},
		timing: func(r *raft.Config) {
			simTiming(r)
			r.Logger = pausedLogger{r.Logger, m.disk.pause}
		},
	})
	if err != nil {
		c.logf("%s does not start: %v", m.id, err)
		_ = d.close()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &simProcess{Node: n, end: end, pause: m.disk.pause, late: &c.busy, cancel: cancel, done: make(chan struct{})}
	m.process = p
	c.logf("%s runs", m.id)
	go func() {
		defer close(p.done)
		err := n.Run(ctx, func(ctx context.Context) error { return c.solve(ctx, m, p) })
		c.logf("%s ends: %v", m.id, err)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.process = nil
	}()
}

func (m *simMember) now() time.Time { return time.Now().Add(time.Duration(m.skew.Load())) }

// running is the controller that runs, if one does.
func (m *simMember) running() *simProcess {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
}

// stop ends a controller as an operator does.
func (m *simMember) stop() {
	m.disk.pause.end()
	if p := m.running(); p != nil {
		p.cancel()
		<-p.done
	}
}

// halt pauses a controller that runs.
func (m *simMember) halt() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil {
		m.disk.pause.begin()
	}
}

// crash takes the power from a machine.
func (m *simMember) crash() {
	m.disk.switchOff()
	m.stop()
}

// leader is a controller that takes itself for the leader.
func (c *simCluster) leader() (*simMember, *simProcess) {
	for _, m := range c.machines() {
		if p := m.running(); p != nil && p.Leading() && p.end.alive() && !p.pause.on() {
			return m, p
		}
	}
	return nil, nil
}

// until waits for virtual time to bring something about.
func until(limit time.Duration, reached func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if reached() {
			return true
		}
	}
	return false
}

// found starts all members and has the first add the others.
func (c *simCluster) found() bool {
	for _, m := range c.machines() {
		m.start()
	}
	first := c.machines()[0].running()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := first.Led(ctx); err != nil {
		c.fail("nobody leads at first: %v", err)
		return false
	}
	for _, m := range c.machines()[1:] {
		if err := first.AddMember(ctx, Member{ID: m.id, Address: string(m.address)}); err != nil {
			c.fail("found: %v", err)
			return false
		}
	}
	if _, err := first.Propose(ctx, simWorld()...); err != nil {
		c.fail("found: %v", err)
		return false
	}
	return true
}

// converge heals everything and waits until all members agree.
func (c *simCluster) converge() {
	c.logf("everything heals")
	for _, a := range c.machines() {
		for _, b := range c.machines() {
			c.net.set(a.address, b.address, func(l *simLink) { l.cut, l.drop, l.dup, l.delay = false, 0, 0, 2*time.Millisecond })
		}
		a.disk.mu.Lock()
		a.disk.decide, a.disk.latency = nil, 0
		a.disk.mu.Unlock()
		a.disk.pause.end()
	}
	agreed := until(30*time.Second, func() bool {
		for _, m := range c.machines() {
			m.start()
		}
		_, p := c.leader()
		if p == nil {
			return false
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		want, err := p.Read(ctx)
		if err != nil {
			return false
		}
		var same []state.State
		for _, m := range c.machines() {
			if !slices.ContainsFunc(p.Members(), func(o Member) bool { return o.ID == m.id && o.Voter }) {
				continue
			}
			o := m.running()
			if o == nil || o.State().Index() != want.Index() {
				return false
			}
			same = append(same, o.State())
		}
		encoded := simEncoded(want)
		return !slices.ContainsFunc(same, func(s state.State) bool { return !bytes.Equal(simEncoded(s), encoded) })
	})
	if !agreed {
		c.fail("the members do not agree half a minute after all healed: %s", c.standing())
	}
}

func simEncoded(s state.State) []byte {
	var b bytes.Buffer
	_ = s.Encode(&b) // a buffer takes everything
	return b.Bytes()
}

// standing is a line on every member.
func (c *simCluster) standing() string {
	var b strings.Builder
	for _, m := range c.machines() {
		p := m.running()
		if p == nil {
			fmt.Fprintf(&b, "%s down; ", m.id)
			continue
		}
		fmt.Fprintf(&b, "%s %v term %d, last %d, commit %d, state %d, members %v; ", m.id, p.raft.State(), p.raft.CurrentTerm(),
			p.raft.LastIndex(), p.raft.CommitIndex(), p.State().Index(), p.raft.GetConfiguration().Configuration().Servers)
	}
	return b.String()
}

// end stops all that runs.
func (c *simCluster) end() {
	c.busy.Wait()
	for _, m := range c.machines() {
		m.stop()
	}
	c.net.flying.Wait()
}

// propose asks members for a commit until one has answered or the patience is
// over. Nothing came of it where no attempt can have been committed.
func (c *simCluster) propose(rng *rand.Rand, patience time.Duration, command state.Command) (o state.Outcome, known, nothing bool) {
	nothing = true
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Duration(rng.IntN(60)+5) * time.Millisecond) {
		p := c.ask(rng)
		if p == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		outcomes, err := p.Propose(ctx, command)
		cancel()
		if err == nil && p.end.alive() {
			return outcomes[0], true, false
		}
		if err == nil || !errors.Is(err, errNotLeader) && !errors.Is(err, errStopped) || strings.Contains(err.Error(), "unknown") {
			nothing = false
		}
	}
	return state.Outcome{}, false, nothing
}

// ask chooses whom to ask: mostly one that says that it leads.
func (c *simCluster) ask(rng *rand.Rand) *simProcess {
	members := c.machines()
	if rng.IntN(4) > 0 {
		for i := range members {
			m := members[(i+rng.IntN(len(members)))%len(members)]
			if p := m.running(); p != nil && p.Leading() {
				return p
			}
		}
	}
	return members[rng.IntN(len(members))].running()
}

// isUnavailable reports whether asking again may help.
func isUnavailable(err error) bool { return errors.Is(err, model.ErrUnavailable) }
