package consensus

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/gantry-orchestrator/gantry/engine/state"
)

// simPause is whether a process is stopped, as by SIGSTOP: what it says and
// hears, keeps and is asked waits, and raft goes on where it was. Time does
// not wait: what it finds then is that all its timers have run out.
type simPause struct {
	mu    sync.Mutex
	until chan struct{} // nil while it runs
}

func (p *simPause) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil {
		p.until = make(chan struct{})
	}
}

func (p *simPause) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until != nil {
		close(p.until)
		p.until = nil
	}
}

func (p *simPause) on() bool { return p.over() != nil }

func (p *simPause) over() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until
}

// wait returns once the process runs. Nobody may hold a lock meanwhile: time
// would not pass.
func (p *simPause) wait() {
	if over := p.over(); over != nil {
		<-over
	}
}

// pausedLogger stops raft's own goroutine, which warns before it acts upon a
// timer that has run out.
type pausedLogger struct {
	hclog.Logger
	pause *simPause
}

// Warn implements hclog.Logger.
func (l pausedLogger) Warn(string, ...any) { l.pause.wait() }

// Read is asked at a socket: who is paused answers later.
func (p *simProcess) Read(ctx context.Context) (state.State, error) {
	p.pause.wait()
	return p.Node.Read(ctx)
}

// Propose is asked at a socket. Who is paused finds it there later, when who
// asked may be gone.
func (p *simProcess) Propose(ctx context.Context, commands ...state.Command) ([]state.Outcome, error) {
	if !p.pause.on() {
		return p.Node.Propose(ctx, commands...)
	}
	done := make(chan answer, 1)
	p.late.Go(func() {
		p.pause.wait()
		outcomes, err := p.Node.Propose(context.Background(), commands...)
		done <- answer{outcomes, err}
	})
	select {
	case a := <-done:
		return a.outcomes, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the outcome is unknown: %w", ctx.Err())
	}
}
