package supervise

import (
	"context"
	"sync"
)

// watcher holds what one watching client has not been told yet: at most one
// event a service, the latest. A slow client sees fewer changes and never a
// wrong end.
type watcher struct {
	mu      sync.Mutex
	pending map[string]Event
	order   []string
	wake    chan struct{}
}

func newWatcher() *watcher {
	return &watcher{pending: map[string]Event{}, wake: make(chan struct{}, 1)}
}

func (w *watcher) put(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := e.Process.ID
	if _, there := w.pending[id]; !there {
		w.order = append(w.order, id)
	}
	w.pending[id] = e
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watcher) take() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []Event
	for _, id := range w.order {
		out = append(out, w.pending[id])
	}
	clear(w.pending)
	w.order = nil
	return out
}

// watch sends every service as it is, then every change, until ctx ends.
func (s *supervisor) watch(ctx context.Context, send func(Event) error) error {
	w := newWatcher()
	err := s.call(ctx, func() error {
		s.watchers[w] = true
		for _, v := range s.inOrder() {
			w.put(Event{Process: v.shown})
		}
		return nil
	})
	if err != nil {
		return err
	}
	defer s.post(func() { delete(s.watchers, w) })
	for {
		for _, e := range w.take() {
			if err := send(e); err != nil {
				return err
			}
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
