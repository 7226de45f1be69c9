package consensus

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// TestALeaderThatWasPausedServesNoStaleRead stops the process of a leader while
// others elect another and commit, has readers wait at its port, and lets it
// go on.
func TestALeaderThatWasPausedServesNoStaleRead(t *testing.T) {
	members, stores := threeStores(t)
	leader, _ := committedElsewhere(t, stores, -1)
	for range 3 {
		signalled(t, members[leader], syscall.SIGSTOP)
		next, name := committedElsewhere(t, stores, leader)
		var g errgroup.Group
		for reader := range 32 {
			g.Go(func() error {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				request, answer := []byte(name), []byte(nil)
				err := stores[leader].conns[reader%2].Invoke(ctx, "/member/Known", &request, &answer)
				if err == nil && string(answer) != "yes" {
					return fmt.Errorf("reader %d: the leader that was paused does not know %s", reader, name)
				}
				return nil // refused, or fresh
			})
		}
		signalled(t, members[leader], syscall.SIGCONT)
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		leader = next
	}
}

func signalled(t *testing.T, m *memberProcess, s syscall.Signal) {
	t.Helper()
	if err := m.command.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// committedElsewhere puts a value at whoever leads but one, -1 for none, and
// returns who took it and under which name.
func committedElsewhere(t testing.TB, stores []*store, but int) (at int, name string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		for i, s := range stores {
			if i == but {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			name = fmt.Sprintf("paused-%025d", names.Add(1))
			err := s.put(ctx, 0, name)
			cancel()
			if err == nil {
				return i, name
			}
		}
	}
	t.Fatal("nobody else leads")
	return 0, ""
}
