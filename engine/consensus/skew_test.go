package consensus

import (
	"errors"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// later is an op that no level activates.
type later struct{ state.Op }

func TestWhatAnOlderMemberCannotReadNeverComesIntoTheLog(t *testing.T) {
	n := start(t, t.TempDir())
	led(t, n.Node)
	propose(t, n.Node, addModel("1", "a"))
	at := n.State().Index()
	command := addModel("2", "b")
	command.Ops = append(command.Ops, later{command.Ops[0]})
	_, err := n.Propose(t.Context(), command)
	if !errors.Is(err, model.ErrUnavailable) || !strings.Contains(err.Error(), "needs feature level") {
		t.Errorf("it was told %v", err)
	}
	propose(t, n.Node, addModel("3", "c"))
	if now := n.State().Index(); now != at+1 {
		t.Errorf("the log went from %d to %d, want one entry more", at, now)
	}
}
