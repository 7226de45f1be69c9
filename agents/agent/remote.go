package agent

import (
	"context"
	"sync"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Remote is a Controller over a connection.
type Remote struct{ *client.Agent }

// Connect implements Controller.
func (r Remote) Connect(ctx context.Context) (Session, error) {
	ctx, cancel := context.WithCancel(ctx)
	s, err := r.Open(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	return &remoteSession{session: s, cancel: cancel}, nil
}

// remoteSession lets several send.
type remoteSession struct {
	session *wire.Session
	cancel  context.CancelFunc
	mu      sync.Mutex
}

func (s *remoteSession) Send(up effect.Upward) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session.Send(up)
}

func (s *remoteSession) Recv() (effect.Downward, error) { return s.session.Recv() }

func (s *remoteSession) Close() error {
	s.cancel()
	return nil
}
