package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// The patience of a request. They are short against a failover's second.
const (
	stagger = 150 * time.Millisecond // before another controller is dialled beside
	connect = 3 * time.Second        // for a connection to any of them
	doubt   = 400 * time.Millisecond // without an answer, before another is asked who leads
	answer  = 3 * doubt              // for what another says to that, and for a stream to be taken
	elect   = 6 * time.Second        // while controllers answer that nobody leads
)

// route is the way to whoever leads, for any number of requests at once. It
// implements grpc.ClientConnInterface.
type route struct {
	config  *tls.Config
	learned func([]string) // called with the controllers' addresses when they change

	mu        sync.Mutex
	given     []string // by the context; tried as well as those that were heard of
	heard     []string // from a controller
	preferred string   // who led last
	conns     map[string]*grpc.ClientConn
	retired   []*grpc.ClientConn // of an identity that was renewed; their streams go on
	stale     string
	closed    bool
	epoch     model.Epoch       // the highest that was heard of
	aged      func(model.Epoch) // called when it rises
}

func newRoute(config *tls.Config, given, heard []string, learned func([]string)) *route {
	return &route{config: config, given: given, heard: heard, learned: learned, conns: map[string]*grpc.ClientConn{}}
}

// Close ends the connections and what runs on them.
func (r *route) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	var errs []error
	for _, c := range slices.AppendSeq(r.retired, maps.Values(r.conns)) {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Stale says why the latest answers are of the past; "" where they are not.
func (r *route) Stale() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stale
}

// prefer has who leads be tried first.
func (r *route) prefer(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.preferred = address
}

// candidates are the controllers in the order in which they are tried: not
// those that a request has tried in vain, and who led last first.
func (r *route) candidates(vain map[string]bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, a := range slices.Concat([]string{r.preferred}, r.given, r.heard) {
		if a != "" && !vain[a] && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

func (r *route) conn(address string) (*grpc.ClientConn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c, ok := r.conns[address]; ok {
		return c, nil
	}
	if r.closed {
		return nil, fmt.Errorf("the connection is closed: %w", model.ErrUnavailable)
	}
	c, err := grpc.NewClient("passthrough:///"+address, append(r.ages(),
		grpc.WithTransportCredentials(credentials.NewTLS(r.config)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithInitialWindowSize(wire.Window), grpc.WithInitialConnWindowSize(wire.Window),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.4, MaxDelay: 3 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
	)...)
	if err != nil {
		return nil, fmt.Errorf("controller %s: %w", address, err)
	}
	r.conns[address] = c
	return c, nil
}

// open returns the first of the candidates to have a connection. The next one
// is dialled beside when one takes long, and at once when it fails.
func (r *route) open(ctx context.Context, candidates []string) (string, *grpc.ClientConn, error) {
	ctx, cancel := context.WithTimeout(ctx, connect)
	defer cancel()
	type dialled struct {
		address string
		conn    *grpc.ClientConn
		err     error
	}
	results := make(chan dialled, len(candidates))
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	start := func(address string) {
		conn, err := r.conn(address)
		if err != nil {
			results <- dialled{address, nil, err}
			return
		}
		if conn.GetState() == connectivity.Ready {
			results <- dialled{address, conn, nil}
			return
		}
		group.Go(func() { results <- dialled{address, conn, ready(ctx, conn)} })
	}
	next, pending := 0, 0
	var failed error
	for {
		if next < len(candidates) {
			start(candidates[next])
			next, pending = next+1, pending+1
		}
		if pending == 0 {
			return "", nil, fmt.Errorf("no controller is reached at %s: %w: %w", strings.Join(candidates, ", "), failed, model.ErrUnavailable)
		}
		beside := time.NewTimer(stagger)
		waiting := true
		for waiting {
			select {
			case d := <-results:
				pending--
				if d.err == nil {
					beside.Stop()
					return d.address, d.conn, nil
				}
				failed, waiting = d.err, false
			case <-beside.C:
				waiting = next == len(candidates) // nobody to dial beside
			}
		}
		beside.Stop()
	}
}

// ready waits for a connection. A first failure is an answer.
func ready(ctx context.Context, conn *grpc.ClientConn) error {
	conn.Connect()
	began := false
	for {
		s := conn.GetState()
		switch s {
		case connectivity.Ready:
			return nil
		case connectivity.Connecting:
			began = true
		case connectivity.TransientFailure:
			if began {
				return errors.New("it does not answer, or refuses this identity")
			}
			conn.ResetConnectBackoff()
		case connectivity.Idle:
			conn.Connect()
		case connectivity.Shutdown:
			return errors.New("the connection is closed")
		}
		if !conn.WaitForStateChange(ctx, s) {
			return fmt.Errorf("no connection: %w", ctx.Err())
		}
	}
}

// verdict is what an attempt at one controller came to.
type verdict struct {
	err      error  // as gRPC has it
	undone   bool   // refused for want of leadership: nothing was done
	leader   string // who leads, in the words of who refused; may be ""
	answered bool   // by a controller, be it with an error
}

// judge notes what a controller said beside its answer.
func (r *route) judge(address string, header, trailer metadata.MD, err error) verdict {
	v := verdict{err: err, answered: err == nil || status.Code(err) != codes.Unavailable || len(trailer) > 0}
	if hint := trailer.Get(wire.HeaderLeader); len(hint) > 0 && status.Code(err) == codes.Unavailable {
		v.undone, v.leader = true, hint[0]
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.preferred, r.stale = address, strings.Join(header.Get(wire.HeaderStale), "; ")
		if r.stale != "" {
			r.preferred = ""
		}
	}
	if v.leader != "" {
		r.preferred = v.leader
	} else if v.undone && r.preferred == address {
		r.preferred = ""
	}
	r.age(header)
	var heard []string
	if list := slices.Concat(header.Get(wire.HeaderControllers), trailer.Get(wire.HeaderControllers)); len(list) > 0 {
		heard = strings.Split(list[0], ",")
	}
	if len(heard) > 0 && !slices.Equal(heard, r.heard) {
		r.heard = heard
		if r.learned != nil {
			r.learned(heard)
		}
	}
	return v
}

// search is one request's look for who leads.
type search struct {
	began   time.Time
	vain    map[string]bool
	turns   int
	refused error // why nobody leads, by one who answered; nil once an attempt was lost
	lost    bool  // what came of an attempt is not known
}

func newSearch() *search { return &search{began: time.Now(), vain: map[string]bool{}} }

// again says whether to try on after a verdict, and waits where nobody leads:
// an election takes a moment, and a storm of questions would not shorten it.
func (s *search) again(ctx context.Context, address string, v verdict, repeatable bool) bool {
	s.turns++
	switch {
	case !v.undone:
		s.refused, s.lost = nil, true
	case v.leader == "" && !s.lost:
		s.refused = v.err
	}
	switch {
	case v.undone && v.leader != "" && v.leader != address && !s.vain[v.leader] && s.turns < 8:
		return ctx.Err() == nil // go there at once
	case v.undone && time.Since(s.began) < elect:
		clear(s.vain)
		s.vain[address] = s.turns%2 == 1 // ask another in between
		pause := min(50*time.Millisecond<<min(s.turns, 3), 300*time.Millisecond)
		return sleep(ctx, pause/2+rand.N(pause))
	case !v.answered && repeatable && time.Since(s.began) < elect:
		s.vain[address] = true
		return sleep(ctx, rand.N(50*time.Millisecond))
	}
	return false
}

// failed is what a search comes to that reaches nobody in the end: why it was
// refused by one who did answer says more than who did not.
func (s *search) failed(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return wire.Error(status.FromContextError(ctx.Err()).Err())
	case s.refused != nil:
		return wire.Error(s.refused)
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
