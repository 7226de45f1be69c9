package e2e

import (
	"flag"
	"slices"
	"syscall"
	"testing"
	"time"
)

// kills is how often the leader is killed.
var kills = flag.Int("kills", 20, "how often the benchmark of failover kills the leader")

// BenchmarkFailover kills whoever leads three controllers, on the host and on
// machines, while operators write, and waits for all to be well in between.
func BenchmarkFailover(b *testing.B) {
	in := open(b)
	c := &council{install: in, work: workspace{in, "default"}, own: workspace{in, "controller"}}
	c.enable(b, 3)
	c.writes = begin(b, in)
	var gaps []float64
	for range *kills {
		leads := c.leader(b)
		c.writes.flow(b, time.Now())
		from := time.Now()
		c.process(b, leads).signal(b, syscall.SIGKILL)
		c.writes.flow(b, from.Add(3*time.Second))
		gaps = append(gaps, c.writes.gap(from).Seconds())
		b.Logf("killed %s: %.2f s", leads.Address, gaps[len(gaps)-1])
	}
	c.writes.end(b)
	figure("leader killed -9 under 16 writers, to the next acknowledged write, median", median(gaps), "s", "goal 1 s")
	figure("leader killed -9 under 16 writers, the longest", slices.Max(gaps), "s", "no goal")
	figure("writes acknowledged under them", float64(c.writes.count()), "writes", "none lost, none twice")
	c.writes.audit(b, 0)
}
