package archive

import "sync"

// aim is the target that all sessions share; it may move while they work.
type aim struct {
	mu      sync.Mutex
	target  Target
	changed chan struct{}
}

func newAim(target Target) *aim {
	return &aim{target: target, changed: make(chan struct{})}
}

// current returns the target and a channel that is closed when it moves.
func (a *aim) current() (Target, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.target, a.changed
}

func (a *aim) move(target Target) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.target.Equal(target) {
		return
	}
	a.target = target
	close(a.changed)
	a.changed = make(chan struct{})
}
