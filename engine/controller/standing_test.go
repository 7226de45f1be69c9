package controller

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func TestWhoHasHeardOfNoLeaderSinceItBeganSaysThatItKnowsItsSnapshotAlone(t *testing.T) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	unreachable := errors.New("out of reach")
	node := must(consensus.Open(consensus.Config{
		ID: "a", Dir: t.TempDir(), Join: true, Address: "a", Listener: listener, Log: slog.New(slog.DiscardHandler),
		Dial: func(context.Context, string) (net.Conn, error) { return nil, unreachable },
	}))(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = node.Run(ctx, func(context.Context) error { return nil })
	})
	r := must(openRoster(t.TempDir()))(t)
	if err := r.seed([]operator.ControllerSelf{{ID: "a", Address: "h:1"}, {ID: "b", Address: "h:2"}}); err != nil {
		t.Fatal(err)
	}
	s := &standing{node: node, id: "a", roster: r, followed: make(chan struct{}), dial: func(context.Context, string) error { return unreachable }}
	s.look(time.Now().Add(-2 * election))
	s.call(t.Context())
	const limit = "knows no more than its last snapshot"
	if said := s.now().Alone; !strings.Contains(said, "1 of 2 controllers answer; missing: h:2") || !strings.Contains(said, limit) {
		t.Errorf("it says %q", said)
	}
	s.heard = true
	if said := s.now().Alone; strings.Contains(said, limit) {
		t.Errorf("it heard of a leader, and says %q", said)
	}
}
