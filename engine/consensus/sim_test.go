package consensus

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds    = flag.Int("seeds", 60, "how many seeds to simulate controllers under")
	tracing  = flag.Bool("trace", false, "print what happens at once: raft may panic")
	fromSeed = flag.Uint64("seed", 1, "the first of them")
)

// TestSimulateControllers runs three or five controllers in virtual time, with
// clients, agents and a solver, under the faults that a seed chooses. Faults,
// disks, links and parties draw from the seed alone. What goroutines of one
// moment do first is the scheduler's, on one processor: mostly the same, not to
// the byte. A failing seed fails again in most runs; its trace is printed.
func TestSimulateControllers(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	if testing.Short() {
		*seeds = min(*seeds, 20)
	}
	began := time.Now()
	calls := 0
	for seed := *fromSeed; seed < *fromSeed+uint64(*seeds); seed++ {
		c := simulate(t, seed)
		if c.wrong == "" {
			if err := c.history.Check(time.Minute); err != nil {
				c.fail("%v", err)
			}
		}
		calls += c.history.Len()
		if c.wrong != "" {
			t.Fatalf("seed %d: %s\n%s", seed, c.wrong, strings.Join(c.trace, "\n"))
		}
	}
	t.Logf("%d seeds with %d calls, %.1f seeds a second", *seeds, calls, float64(*seeds)/time.Since(began).Seconds())
}

// unanswered reports whether a bubble ended but for what raft never answered:
// on a disk that failed it forgets what it had taken, and settle does not wait.
func unanswered(recovered any) bool {
	if !strings.Contains(fmt.Sprint(recovered), "main bubble goroutine has exited") {
		return false
	}
	all := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(g, ", synctest bubble") && !strings.Contains(g, "(*Node).settle.func1") {
			return false
		}
	}
	return true
}

func simulate(t *testing.T, seed uint64) (c *simCluster) {
	defer func() {
		if r := recover(); r != nil && !unanswered(r) {
			panic(r)
		}
	}()
	synctest.Test(t, func(*testing.T) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c = newSimCluster(seed, 3+2*rng.IntN(2))
		defer c.end()
		if !c.found() {
			return
		}
		for id := range 4 {
			c.client(id)
		}
		for id := range 3 {
			c.reader(10 + id)
		}
		for unit := range 3 {
			c.agent(unit)
		}
		c.operator()
		nemesis{c, rng}.strike()
		c.busy.Wait()
		c.converge()
	})
	return c
}
