package history

import (
	"context"
	"errors"
	"net"
	"sync"
)

// door hands connections of other members to the database that is open now. It
// outlives databases: one that did not open is tried again on the same
// listener.
type door struct {
	mu sync.Mutex
	in func(net.Conn) // nil while nobody is in
}

// serve accepts until ctx ends, which closes the listener.
func (d *door) serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			rest(ctx, retryFirst)
			continue
		}
		d.mu.Lock()
		in := d.in
		d.mu.Unlock()
		if in == nil {
			_ = c.Close() // the other side tries again
			continue
		}
		in(c)
	}
}
