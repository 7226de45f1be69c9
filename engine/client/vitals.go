package client

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Vitals is a controller's connection to exactly one other, whoever leads.
type Vitals struct {
	*wire.VitalsClient
	conn *route
}

// DialVitals prepares the connection, made at the first request.
func DialVitals(config *tls.Config, address string) *Vitals {
	conn := newRoute(config, []string{address}, nil, nil)
	return &Vitals{VitalsClient: wire.NewVitalsClient(conn), conn: conn}
}

// Close ends the connection and what runs on it.
func (v *Vitals) Close() error { return v.conn.Close() }

// probePatience is how long the way to a controller may take.
const probePatience = 3 * time.Second

// Paths tries the way to every controller that is known, at once: no more than
// that there is one. Each connection is closed again before a word is said.
func (a *Agent) Paths(ctx context.Context) []effect.Path {
	known := a.conn.candidates(nil)
	slices.Sort(known)
	paths := make([]effect.Path, len(known))
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	var g errgroup.Group
	for i, address := range known {
		g.Go(func() error {
			began := time.Now()
			paths[i].To = address
			var d net.Dialer
			conn, err := d.DialContext(ctx, "tcp", address)
			if err != nil {
				paths[i].Fault = err.Error()
			} else {
				_ = conn.Close()
			}
			paths[i].Took = time.Since(began)
			return nil
		})
	}
	_ = g.Wait() // none fails
	return paths
}
