package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Client asks a supervisor. It is safe for concurrent use and holds no
// connection between requests, so it outlives restarts of the supervisor.
//
// Errors wrap a class of model; model.ErrUnavailable means that the supervisor
// did not answer, and the request may or may not have been carried out. All
// requests may be repeated, but Restart then restarts again.
type Client struct{ socket string }

// Dial returns a client of the supervisor at the socket. It does not connect.
func Dial(socket string) *Client { return &Client{socket} }

// Start makes a service run and returns when its program does. If it runs with
// the same spec already, nothing happens but that a lease in spec is taken
// over; with another spec the error is model.ErrConflict.
func (c *Client) Start(ctx context.Context, spec Spec) (Process, error) {
	return c.process(ctx, request{Method: methodStart, Spec: &spec})
}

// Stop ends all processes of a service and returns when none is left. A Stop
// once taken goes on when ctx ends.
func (c *Client) Stop(ctx context.Context, id string) (Process, error) {
	return c.process(ctx, request{Method: methodStop, ID: id})
}

// Restart replaces a running service, whatever its spec, or starts it. It
// returns when the new program runs, and goes on when ctx ends.
func (c *Client) Restart(ctx context.Context, spec Spec) (Process, error) {
	return c.process(ctx, request{Method: methodRestart, Spec: &spec})
}

// Reload makes a running service read its configuration again.
func (c *Client) Reload(ctx context.Context, id string) (Process, error) {
	return c.process(ctx, request{Method: methodReload, ID: id})
}

// Renew moves the end of a running service's lease.
func (c *Client) Renew(ctx context.Context, id string, lease time.Time) (Process, error) {
	return c.process(ctx, request{Method: methodRenew, ID: id, Lease: lease})
}

// Remove forgets a stopped service. One that is not known is no error.
func (c *Client) Remove(ctx context.Context, id string) error {
	_, err := c.ask(ctx, request{Method: methodRemove, ID: id})
	return err
}

// List returns all services in the order of their start.
func (c *Client) List(ctx context.Context) ([]Process, error) {
	r, err := c.ask(ctx, request{Method: methodList})
	return r.List, err
}

// Upgrade makes the supervisor replace itself by its executable as it is on
// disk now. It returns when the supervisor has agreed; services run on.
func (c *Client) Upgrade(ctx context.Context) error {
	_, err := c.ask(ctx, request{Method: methodUpgrade})
	return err
}

// Watch yields every service as it is, then changes as they happen; of several
// changes of one service in quick succession perhaps only the last. It ends
// with an error, at the latest when ctx ends: watch again after that.
func (c *Client) Watch(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		err := c.exchange(ctx, request{Method: methodWatch}, func(r response) bool {
			return r.Event == nil || yield(*r.Event, nil)
		})
		if err != nil {
			yield(Event{}, err)
		}
	}
}

func (c *Client) process(ctx context.Context, req request) (Process, error) {
	r, err := c.ask(ctx, req)
	if err != nil || r.Process == nil {
		return Process{}, err
	}
	return *r.Process, nil
}

func (c *Client) ask(ctx context.Context, req request) (resp response, err error) {
	err = c.exchange(ctx, req, func(r response) bool {
		resp = r
		return false
	})
	return resp, err
}

// exchange sends a request and hands over answers until take returns false.
func (c *Client) exchange(ctx context.Context, req request, take func(response) bool) error {
	lost := func(err error) error {
		if ctx.Err() != nil {
			return fmt.Errorf("%s %s: %w", req.Method, req.ID, context.Cause(ctx))
		}
		if errors.Is(err, io.EOF) {
			err = errors.New("it ended before it answered")
		}
		return fmt.Errorf("%s %s: supervisor at %s: %w: %w", req.Method, req.ID, c.socket, err, model.ErrUnavailable)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", c.socket)
	if err != nil {
		return lost(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return lost(err)
	}
	for in := json.NewDecoder(conn); ; {
		var r response
		if err := in.Decode(&r); err != nil {
			return lost(err)
		}
		if r.Error != nil {
			return r.Error
		}
		if !take(r) {
			return nil
		}
	}
}
