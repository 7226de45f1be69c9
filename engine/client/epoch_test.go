package client

import (
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

func TestTheHighestEpochThatWasHeardOfIsKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "context")
	if err := (Context{Addresses: []string{"a:1"}}).Save(file); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	r := newRoute(nil, c.Addresses, nil, nil)
	r.aged = c.age
	for _, step := range []struct{ said, want string }{
		{"", ""}, {"5-a", "5-a"}, {"", "5-a"}, {"4-z", "5-a"}, {"5-b", "5-a"}, {"nonsense", "5-a"}, {"6-c", "6-c"},
	} {
		r.age(metadata.Pairs(wire.HeaderEpoch, step.said))
		kept, err := Load(file)
		if err != nil || r.epoch.String() != step.want || kept.Epoch != step.want {
			t.Errorf("after %q the epoch is %v, in the file %q, %v; want %q", step.said, r.epoch, kept.Epoch, err, step.want)
		}
	}
}

func TestWhoIsReattachedLooksAtTheNewAddressesAndLeavesWhatTheyReplace(t *testing.T) {
	r := newRoute(nil, []string{"old:1"}, []string{"heard:1"}, nil)
	r.preferred = "old:1"
	r.give([]string{"new:1"}, model.Epoch{Number: 5, ID: "a"})
	if got := r.candidates(nil); !slices.Equal(got, []string{"new:1", "heard:1"}) {
		t.Errorf("it looks at %v", got)
	}
	r.give([]string{"newer:1"}, model.Epoch{})
	if r.epoch.Number != 5 {
		t.Errorf("without an epoch the one that was heard of became %v", r.epoch)
	}
}
