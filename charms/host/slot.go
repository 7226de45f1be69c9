package host

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin"
	"github.com/gantry-orchestrator/gantry/model"
)

// Back-off after a process ended by itself or did not start.
const (
	firstBackOff = 200 * time.Millisecond
	maxBackOff   = 30 * time.Second
	// forgiven is how long a process must have lived for its end not to count.
	forgiven = time.Minute
)

// slot holds the one process of a charm revision.
type slot struct {
	launch func() (*plugin.Client, error)

	mu       sync.Mutex
	client   *plugin.Client
	started  time.Time
	lastUsed time.Time
	using    int
	failures int
	notUntil time.Time // no relaunch before
}

// acquire gives the process, which it launches where there is none.
func (s *slot) acquire(now time.Time) (*plugin.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil && s.client.Exited() {
		s.drop(now)
	}
	if s.client == nil {
		if wait := s.notUntil.Sub(now); wait > 0 {
			return nil, fmt.Errorf("its process failed %d times and is started again in %v: %w", s.failures, wait.Round(time.Millisecond), model.ErrUnavailable)
		}
		client, err := s.launch()
		if err != nil {
			s.backOff(now)
			return nil, err
		}
		s.client, s.started = client, now
	}
	s.using++
	s.lastUsed = now
	return s.client, nil
}

// release takes the process back with what came of the question. One that
// still works on a question past its deadline is of no more use.
func (s *slot) release(client *plugin.Client, err error, now time.Time) {
	s.mu.Lock()
	s.using--
	s.lastUsed = now
	stuck := errors.Is(err, plugin.ErrDeadline)
	dead := errors.Is(err, model.ErrUnavailable)
	if s.client == client && stuck {
		s.client = nil
	}
	if s.client == client && dead {
		s.drop(now)
	}
	s.mu.Unlock()
	if stuck || dead {
		client.Kill()
	}
}

// drop forgets a process that ended by itself.
func (s *slot) drop(now time.Time) {
	s.client = nil
	if now.Sub(s.started) > forgiven {
		s.failures = 0
		return
	}
	s.backOff(now)
}

// backOff lets the first failure pass: most often it is the only one.
func (s *slot) backOff(now time.Time) {
	if s.failures > 0 {
		s.notUntil = now.Add(min(firstBackOff<<min(s.failures-1, 10), maxBackOff))
	}
	s.failures++
}

func (s *slot) stopIfIdle(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.using > 0 || s.lastUsed.After(since) {
		return false
	}
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
	return true
}

func (s *slot) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client != nil {
		s.client.Kill()
		s.client = nil
	}
}
