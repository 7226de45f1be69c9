package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

var errLink = errors.New("no answer")

// simNet carries messages between simulated members. Each direction of each
// pair has randomness of its own, so that what one does leaves the others be.
type simNet struct {
	mu     sync.Mutex
	seed   uint64
	ends   map[raft.ServerAddress]*simEnd
	links  map[[2]raft.ServerAddress]*simLink
	spy    func(from raft.ServerAddress, message any)
	flying sync.WaitGroup
}

// simLink is one direction.
type simLink struct {
	rng       *rand.Rand
	cut       bool
	drop, dup float64
	delay     time.Duration // at most
}

// simEnd is a member's transport while a process of it runs.
type simEnd struct {
	net       *simNet
	address   raft.ServerAddress
	rpcs      chan raft.RPC
	heartbeat atomic.Pointer[func(raft.RPC)]
	pause     *simPause
	closed    chan struct{}
	once      sync.Once
}

func newSimNet(seed uint64) *simNet {
	return &simNet{seed: seed, ends: map[raft.ServerAddress]*simEnd{}, links: map[[2]raft.ServerAddress]*simLink{}}
}

// join gives a process its transport; the one before gets nothing any more.
func (n *simNet) join(address raft.ServerAddress, pause *simPause) *simEnd {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &simEnd{net: n, address: address, pause: pause, rpcs: make(chan raft.RPC), closed: make(chan struct{})}
	n.ends[address] = e
	return e
}

// leave cuts a process off at once.
func (n *simNet) leave(e *simEnd) { e.once.Do(func() { close(e.closed) }) }

func (n *simNet) link(from, to raft.ServerAddress) *simLink {
	key := [2]raft.ServerAddress{from, to}
	l, ok := n.links[key]
	if !ok {
		h := n.seed
		for _, c := range string(from) + ">" + string(to) {
			h = h*1099511628211 + uint64(c)
		}
		l = &simLink{rng: rand.New(rand.NewPCG(n.seed, h)), delay: 2 * time.Millisecond}
		n.links[key] = l
	}
	return l
}

// set changes a link.
func (n *simNet) set(from, to raft.ServerAddress, change func(l *simLink)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n.link(from, to))
}

// fate is what becomes of one message.
func (n *simNet) fate(from, to raft.ServerAddress) (delay time.Duration, lost, twice bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.link(from, to)
	lost = l.rng.Float64() < l.drop
	twice = l.rng.Float64() < l.dup
	delay = time.Duration(l.rng.Int64N(int64(l.delay) + 1))
	return delay, lost || l.cut, twice
}

func (n *simNet) end(at raft.ServerAddress) *simEnd {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ends[at]
}

// call sends a request and waits for the answer, or gives up.
func (e *simEnd) call(to raft.ServerAddress, request any, content io.Reader) (any, error) {
	e.pause.wait()
	defer e.pause.wait() // an answer lies in a socket meanwhile
	send, err := letter(request, content)
	if err != nil {
		return nil, err
	}
	delay, lost, twice := e.net.fate(e.address, to)
	patience := time.NewTimer(delay + 600*time.Millisecond)
	defer patience.Stop()
	answers := make(chan raft.RPCResponse, 1)
	if e.alive() {
		if e.net.spy != nil {
			e.net.spy(e.address, request)
		}
		if !lost {
			e.net.deliver(e.address, to, delay, send(), answers)
		}
		if twice {
			e.net.deliver(e.address, to, 3*delay, send(), make(chan raft.RPCResponse, 1))
		}
	}
	select {
	case a := <-answers:
		return a.Response, a.Error
	case <-patience.C:
	case <-e.closed:
	}
	return nil, fmt.Errorf("%s to %s: %w", e.address, to, errLink)
}

// letter is a request with what comes with it, as often as it is asked for.
func letter(request any, content io.Reader) (copied func() raft.RPC, err error) {
	if content == nil {
		return func() raft.RPC { return raft.RPC{Command: request} }, nil
	}
	b, err := io.ReadAll(content)
	return func() raft.RPC { return raft.RPC{Command: request, Reader: bytes.NewReader(b)} }, err
}

func (e *simEnd) alive() bool {
	select {
	case <-e.closed:
		return false
	default:
		return true
	}
}

// deliver hands a request over after a delay and brings the answer back.
func (n *simNet) deliver(from, to raft.ServerAddress, delay time.Duration, rpc raft.RPC, answers chan<- raft.RPCResponse) {
	n.flying.Add(1)
	go func() {
		defer n.flying.Done()
		time.Sleep(delay)
		at := n.end(to)
		if at == nil {
			return
		}
		at.pause.wait()
		if !at.alive() {
			return
		}
		inner := make(chan raft.RPCResponse, 1)
		rpc.RespChan = inner
		if !at.take(rpc) {
			return
		}
		select {
		case a := <-inner:
			back, lost, _ := n.fate(to, from)
			time.Sleep(back)
			if !lost && at.alive() {
				answers <- a
			}
		case <-at.closed:
		case <-time.After(10 * time.Second):
		}
	}()
}

// take gives a request to raft. A heartbeat is answered on the way, by a
// goroutine that may end in it.
func (e *simEnd) take(rpc raft.RPC) bool {
	heartbeat := e.heartbeat.Load()
	if a, ok := rpc.Command.(*raft.AppendEntriesRequest); ok && heartbeat != nil &&
		a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0 {
		e.net.flying.Add(1)
		go func() {
			defer e.net.flying.Done()
			(*heartbeat)(rpc)
		}()
		return true
	}
	select {
	case e.rpcs <- rpc:
		return true
	case <-e.closed:
		return false
	case <-time.After(5 * time.Second):
		return false
	}
}

func ask[T any](e *simEnd, to raft.ServerAddress, request any, content io.Reader, answer *T) error {
	got, err := e.call(to, request, content)
	if err != nil {
		return err
	}
	*answer = *got.(*T)
	return nil
}

// Consumer implements raft.Transport.
func (e *simEnd) Consumer() <-chan raft.RPC { return e.rpcs }

// LocalAddr implements raft.Transport.
func (e *simEnd) LocalAddr() raft.ServerAddress { return e.address }

// AppendEntriesPipeline implements raft.Transport.
func (e *simEnd) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// AppendEntries implements raft.Transport.
func (e *simEnd) AppendEntries(_ raft.ServerID, to raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	// Raft goes on to use what it passed, and a message may still be on its way.
	sent := *args
	sent.Entries = slices.Clone(args.Entries)
	return ask(e, to, &sent, nil, resp)
}

// RequestVote implements raft.Transport.
func (e *simEnd) RequestVote(_ raft.ServerID, to raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return ask(e, to, args, nil, resp)
}

// RequestPreVote implements raft.WithPreVote.
func (e *simEnd) RequestPreVote(_ raft.ServerID, to raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return ask(e, to, args, nil, resp)
}

// InstallSnapshot implements raft.Transport.
func (e *simEnd) InstallSnapshot(_ raft.ServerID, to raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, content io.Reader) error {
	return ask(e, to, args, content, resp)
}

// TimeoutNow implements raft.Transport.
func (e *simEnd) TimeoutNow(_ raft.ServerID, to raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return ask(e, to, args, nil, resp)
}

// EncodePeer implements raft.Transport.
func (e *simEnd) EncodePeer(_ raft.ServerID, a raft.ServerAddress) []byte { return []byte(a) }

// DecodePeer implements raft.Transport.
func (e *simEnd) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }

// SetHeartbeatHandler implements raft.Transport.
func (e *simEnd) SetHeartbeatHandler(handle func(raft.RPC)) { e.heartbeat.Store(&handle) }

// Close implements raft.WithClose.
func (e *simEnd) Close() error { e.net.leave(e); return nil }
