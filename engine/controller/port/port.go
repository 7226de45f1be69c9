package port

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/model"
)

// Protocol is what is spoken on a connection, as ALPN names it.
type Protocol string

// The protocols.
const (
	Requests  Protocol = "h2"       // of operators and agents: gRPC
	Pages     Protocol = "http/1.1" // metrics and profiles
	Consensus Protocol = "gantry-raft"
	History   Protocol = "gantry-history"
)

const (
	handshakeTimeout = 5 * time.Second
	maxHandshakes    = 256 // at once
)

// Config is what a port needs.
type Config struct {
	Listener net.Listener
	Server   *tls.Config // mutual TLS 1.3; it is copied
	Client   *tls.Config // to dial other controllers with
	// Admit says whether a peer may speak a protocol other than Requests and
	// Pages. It is asked at the handshake, of either side, and by Review.
	Admit func(peer tls.ConnectionState) error
	Log   *slog.Logger
}

// Port is safe for concurrent use. Run drives it.
type Port struct {
	Config
	slots chan struct{}

	mu     sync.Mutex
	open   map[Protocol]*listener
	member map[*watched]struct{} // connections between controllers
}

// New makes a port. It refuses a configuration that would let in someone
// without a certificate.
func New(c Config) (*Port, error) {
	if c.Server == nil || c.Server.ClientAuth != tls.RequireAndVerifyClientCert || c.Server.MinVersion < tls.VersionTLS13 {
		return nil, fmt.Errorf("port: mutual TLS 1.3 is required: %w", model.ErrInvalid)
	}
	c.Server, c.Client = c.Server.Clone(), c.Client.Clone()
	return &Port{Config: c, slots: make(chan struct{}, maxHandshakes), open: map[Protocol]*listener{}, member: map[*watched]struct{}{}}, nil
}

// Listener takes the connections of a protocol. It must be asked for before
// Run; a protocol that nobody listens for is refused at the handshake.
func (p *Port) Listener(protocol Protocol) net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &listener{port: p, protocol: protocol, accepted: make(chan net.Conn), done: make(chan struct{})}
	p.open[protocol] = l
	p.Server.NextProtos = append(p.Server.NextProtos, string(protocol))
	return l
}

// Dialer connects to another controller for a protocol.
func (p *Port) Dialer(protocol Protocol) func(ctx context.Context, address string) (net.Conn, error) {
	config := p.Client.Clone()
	config.NextProtos = []string{string(protocol)}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: handshakeTimeout}, Config: config}
	return func(ctx context.Context, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		conn, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("dial controller %s: %w: %w", address, err, model.ErrUnavailable)
		}
		return p.admit(conn.(*tls.Conn), protocol)
	}
}

// admit keeps out who may not speak a protocol, and watches who may.
func (p *Port) admit(conn *tls.Conn, protocol Protocol) (net.Conn, error) {
	if protocol == Requests || protocol == Pages {
		return conn, nil // each request is admitted by itself
	}
	if err := p.Admit(conn.ConnectionState()); err != nil {
		return nil, errors.Join(fmt.Errorf("%s with %s: %w", protocol, conn.RemoteAddr(), err), conn.Close())
	}
	w := &watched{Conn: conn, port: p}
	p.mu.Lock()
	p.member[w] = struct{}{}
	p.mu.Unlock()
	return w, nil
}

// Review asks Admit again for every open connection and cuts those that it
// refuses now: a controller was removed.
func (p *Port) Review() {
	p.mu.Lock()
	var all []*watched
	for w := range p.member {
		all = append(all, w)
	}
	p.mu.Unlock()
	for _, w := range all {
		if err := p.Admit(w.ConnectionState()); err != nil {
			p.Log.Info("cutting off a controller", "peer", w.RemoteAddr().String(), "why", err)
			_ = w.Close()
		}
	}
}

// Run takes connections until ctx ends, and then closes the port with every
// listener of it.
func (p *Port) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		p.close()
		return nil
	})
	g.Go(func() error {
		for {
			conn, err := p.Config.Listener.Accept()
			if err != nil {
				if ctx.Err() != nil {
					return nil
				}
				if temporary(ctx, err) {
					continue
				}
				return fmt.Errorf("port: %w", err)
			}
			select {
			case p.slots <- struct{}{}:
			case <-ctx.Done():
				_ = conn.Close()
				return nil
			}
			g.Go(func() error {
				defer func() { <-p.slots }()
				p.take(ctx, conn)
				return nil
			})
		}
	})
	return g.Wait()
}

// temporary waits a moment after an error that goes by, such as too many open
// files.
func temporary(ctx context.Context, err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
	return true
}

// take does the handshake and hands the connection on. Who does not finish it
// in time, or agrees on nothing, is cut off without a word.
func (p *Port) take(ctx context.Context, plain net.Conn) {
	deadline, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn := tls.Server(plain, p.Server)
	if err := conn.HandshakeContext(deadline); err != nil {
		_ = plain.Close()
		p.Log.Debug("handshake failed", "peer", plain.RemoteAddr().String(), "error", err)
		return
	}
	protocol := Protocol(conn.ConnectionState().NegotiatedProtocol)
	p.mu.Lock()
	l, ok := p.open[protocol]
	p.mu.Unlock()
	if !ok {
		_ = conn.Close()
		return
	}
	admitted, err := p.admit(conn, protocol)
	if err != nil {
		p.Log.Info("a controller was refused", "error", err)
		return
	}
	select {
	case l.accepted <- admitted:
	case <-l.done:
		_ = admitted.Close()
	case <-deadline.Done():
		_ = admitted.Close()
	}
}

func (p *Port) close() {
	_ = p.Config.Listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.open {
		l.once.Do(func() { close(l.done) })
	}
}
