package consensus

import "sync"

// gate is what waiters pass while it is open.
type gate struct {
	mu sync.Mutex
	ch chan struct{} // closed while the gate is open
	up bool
}

func newGate() *gate { return &gate{ch: make(chan struct{})} }

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.up {
		g.up = true
		close(g.ch)
	}
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.up {
		g.up = false
		g.ch = make(chan struct{})
	}
}

// passed is closed once the gate is open.
func (g *gate) passed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ch
}
