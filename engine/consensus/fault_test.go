package consensus

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// onDisk runs a node that is alone on a simulated disk until do is over.
func onDisk(t *testing.T, d *simDisk, do func(n *Node)) (ended error) {
	t.Helper()
	kept, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine()
	n, err := newNode(Config{ID: "c1", Address: "c1:1"}, parts{
		disk: kept, transport: newSimNet(1).join("c1:1", &simPause{}), machine: m, fsm: m, timing: simTiming,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		over <- n.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	led(t, n)
	do(n)
	cancel()
	return <-over
}

// TestAFaultAtAnyAccessLosesNothingAcknowledged has every access of a run of
// writes fail in every way, one at a time, and then opens the disk again, at
// first as a process that starts anew and then as after a loss of power.
func TestAFaultAtAnyAccessLosesNothingAcknowledged(t *testing.T) {
	const writes = 50 // several segments and snapshots
	for _, v := range []verdict{full, broken, powerLoss, powerAfter} {
		for at := 1; ; at++ {
			reached := false
			synctest.Test(t, func(t *testing.T) { reached = faultAt(t, v, at, writes) })
			if t.Failed() {
				t.Fatalf("with verdict %d at access %d", v, at)
			}
			if !reached {
				t.Logf("verdict %d: %d accesses", v, at-1)
				break
			}
			if testing.Short() {
				at += 6
			}
		}
	}
}

func faultAt(t *testing.T, v verdict, at, writes int) (reached bool) {
	d := newSimDisk(uint64(at))
	touched := map[string]bool{}
	var acknowledged []string
	first := 0
	what := ""
	ended := onDisk(t, d, func(n *Node) {
		d.mu.Lock()
		first = d.accesses
		d.decide = func(access int, doing string) verdict {
			touched[doing] = true
			if access != first+at {
				return works
			}
			reached, what = true, doing
			return v
		}
		d.mu.Unlock()
		for i := range writes {
			name := fmt.Sprint("m", i)
			outcomes, err := n.Propose(t.Context(), addModel(name, name))
			if err == nil && outcomes[0].Err == nil {
				acknowledged = append(acknowledged, name)
			} else if !errors.Is(err, model.ErrUnavailable) {
				t.Errorf("%s was told %v, %v", name, outcomes, err)
			}
			time.Sleep(200 * time.Millisecond)
		}
		if n.disk.fault() != nil && n.Leading() {
			t.Error("it leads on a disk that failed")
		}
	})
	for _, part := range []string{"create segment", "commit segments", "delete segment", "finish snapshot"} {
		if !reached && !touched[part] {
			t.Errorf("%d writes never came to %s", writes, part)
		}
	}
	if logged := what == "write log" || what == "sync log"; logged && (ended == nil || len(acknowledged) == writes) {
		t.Errorf("after a fault to %s it acknowledged %d of %d and ended with %v", what, len(acknowledged), writes, ended)
	}
	d.decide = nil
	for _, life := range []string{"started again", "after a loss of power"} {
		d.switchOn()
		if err := onDisk(t, d, func(n *Node) {
			st := n.State()
			for _, name := range acknowledged {
				if _, ok := st.Model(model.ModelName(name)); !ok {
					t.Errorf("%s: %s was acknowledged and is lost: fault to %s", life, name, what)
				}
			}
			name := model.ModelName(fmt.Sprint("again", len(life)))
			if o := propose(t, n, addModel("", string(name)))[0]; o.Err != nil {
				t.Errorf("%s: %v", life, o.Err)
			}
			acknowledged = append(acknowledged, string(name))
		}); err != nil {
			t.Errorf("%s: %v", life, err)
		}
		d.switchOff()
	}
	return reached
}

func TestALeaderWhoseDiskDoesNotAnswerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSimDisk(1)
		var log func() error
		ended := onDisk(t, d, func(n *Node) {
			log = n.disk.close
			d.latency = time.Minute
			began := time.Now()
			_, err := n.Propose(t.Context(), addModel("", "a"))
			if took := time.Since(began); !errors.Is(err, model.ErrUnavailable) || took > 15*time.Second {
				t.Errorf("after %v the proposer was told %v", took, err)
			}
		})
		if !errors.Is(ended, errStalled) {
			t.Errorf("it ended with %v", ended)
		}
		time.Sleep(2 * time.Minute) // the write ends after all
		if err := log(); err != nil {
			t.Error(err)
		}
	})
}

// TestAnOldAnswerConfirmsNothing is a leader that was paused: it finds an
// answer to what it asked before, which says nothing of now.
func TestAnOldAnswerConfirmsNothing(t *testing.T) {
	var c contact
	l := newLine(nil)
	before := l.begin()
	asked := l.begin()
	c.confirm(7, before)
	if c.round >= asked {
		t.Error("the answer to an older question counts")
	}
	c.confirm(7, asked)
	if c.round < asked {
		t.Error("the answer does not count")
	}
	c.confirm(6, asked+1)
	if c.round > asked {
		t.Error("an answer in an older term counts")
	}
	c.match = 9
	c.confirm(8, before)
	if c.round != before || c.match != 0 {
		t.Error("what held in a term before is kept")
	}
}
