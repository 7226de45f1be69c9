package port

import (
	"crypto/tls"
	"net"
	"sync"
)

// listener takes the connections of one protocol.
type listener struct {
	port     *Port
	protocol Protocol
	accepted chan net.Conn
	once     sync.Once
	done     chan struct{}
}

// Accept implements net.Listener. The connection has done its handshake.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The port stays open for the others.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.port.Config.Listener.Addr() }

// watched is a connection between controllers that Review may cut.
type watched struct {
	*tls.Conn
	port *Port
}

// Close implements net.Conn.
func (w *watched) Close() error {
	w.port.mu.Lock()
	delete(w.port.member, w)
	w.port.mu.Unlock()
	return w.Conn.Close()
}
