package client

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// maxMessage bounds what a controller may send at once: the intents of a
// machine, or the status of a model.
const maxMessage = 64 << 20

// Client is an operator's connection.
type Client struct {
	wire.Operator
	conn *route
}

// Agent is a machine agent's connection.
type Agent struct {
	*wire.AgentClient
	conn *route
}

// Host is a host agent's connection.
type Host struct {
	*wire.HostClient
	conn *route
}

// Dial prepares an operator's connection, made at the first request. A
// controller that cannot be reached is model.ErrUnavailable then.
func Dial(c Context) (*Client, error) {
	conn, err := dial(c)
	if err != nil {
		return nil, err
	}
	return &Client{Operator: wire.NewOperatorClient(conn), conn: conn}, nil
}

// DialAgent prepares a machine agent's connection.
func DialAgent(c Context) (*Agent, error) {
	conn, err := dial(c)
	if err != nil {
		return nil, err
	}
	return &Agent{AgentClient: wire.NewAgentClient(conn), conn: conn}, nil
}

// DialHost prepares a host agent's connection.
func DialHost(c Context) (*Host, error) {
	conn, err := dial(c)
	if err != nil {
		return nil, err
	}
	return &Host{HostClient: wire.NewHostClient(conn), conn: conn}, nil
}

// Close ends the connection and what runs on it.
func (c *Client) Close() error { return c.conn.Close() }

// Close ends the connection and what runs on it.
func (a *Agent) Close() error { return a.conn.Close() }

// Close ends the connection and what runs on it.
func (h *Host) Close() error { return h.conn.Close() }

// Stale says why the latest answer is of the past: nobody leads, and one
// controller told what it knows. It is "" where the answer holds.
func (c *Client) Stale() string { return c.conn.Stale() }

func dial(c Context) (*route, error) {
	config, err := c.tls()
	if err != nil {
		return nil, err
	}
	if len(c.Addresses) == 0 {
		return nil, fmt.Errorf("context names no address: run gantry up: %w", model.ErrInvalid)
	}
	r := newRoute(config, c.Addresses, c.Controllers, c.learn)
	r.aged = c.age
	if r.epoch, err = model.ParseEpoch(c.Epoch); err != nil {
		return nil, fmt.Errorf("context: %w", err)
	}
	return r, nil
}
