package consensus

import (
	"context"
	"math/rand/v2"
	"time"
)

// strikes is how many bad things happen under a seed.
const strikes = 9

// nemesis breaks one thing after the other, and mends each a while later.
type nemesis struct {
	*simCluster
	rng *rand.Rand
}

// between is a duration of milliseconds.
func (n nemesis) between(from, to int) time.Duration {
	return time.Duration(from+n.rng.IntN(to-from)) * time.Millisecond
}

// any is one of the machines that are not gone.
func (n nemesis) any() *simMember {
	for {
		if m := n.machines()[n.rng.IntN(len(n.machines()))]; !m.gone {
			return m
		}
	}
}

// strike does all the bad things of a seed. Seeds differ in how many of them
// there are at a time.
func (n nemesis) strike() {
	kinds := []func(){
		n.crash, n.crashAtAccess, n.crashAtAccess, n.diskFault, n.diskFault, n.partition, n.partition, n.oneWay, n.weather,
		n.lag, n.lag, n.slowDisk, n.skew, n.transfer, n.restart, n.grow, n.shrink, n.pause, n.pause,
	}
	calm := 200 + n.rng.IntN(1000)
	for range strikes {
		kinds[n.rng.IntN(len(kinds))]()
		time.Sleep(n.between(50, calm))
	}
	close(n.over)
}

func (n nemesis) crash() {
	m := n.any()
	n.logf("power of %s is cut", m.id)
	m.crash()
	n.later(n.between(100, 3000), m.start)
}

// later has things happen beside what follows, in the end at once.
func (n nemesis) later(wait time.Duration, do func()) {
	n.busy.Go(func() {
		select {
		case <-time.After(wait):
		case <-n.over:
		}
		do()
	})
}

// atAccess has one access of a disk, a few from now, end otherwise.
func (n nemesis) atAccess(m *simMember, v verdict) {
	wait := n.rng.IntN(40)
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	at := m.disk.accesses + wait
	m.disk.decide = func(access int, what string) verdict {
		if access < at {
			return works
		}
		m.disk.decide = nil
		n.logf("%s: access %d, to %s, ends as %d", m.id, access, what, v)
		return v
	}
}

func (n nemesis) crashAtAccess() {
	m := n.any()
	n.atAccess(m, []verdict{powerLoss, powerAfter}[n.rng.IntN(2)])
	n.later(n.between(1000, 4000), m.start)
}

func (n nemesis) diskFault() {
	m := n.any()
	n.atAccess(m, []verdict{full, broken}[n.rng.IntN(2)])
	n.later(n.between(500, 4000), m.start)
	if n.rng.IntN(2) == 0 { // what was only in the page cache goes too
		n.later(n.between(4000, 6000), func() {
			n.logf("power of %s is cut after its fault", m.id)
			m.crash()
			m.start()
		})
	}
}

// partition cuts some machines off the others.
func (n nemesis) partition() {
	apart := map[*simMember]bool{}
	if m, _ := n.leader(); m != nil && n.rng.IntN(2) == 0 {
		apart[m] = true
	}
	for _, m := range n.machines() {
		if n.rng.IntN(3) == 0 {
			apart[m] = true
		}
	}
	cut := func(on bool) {
		for _, a := range n.machines() {
			for _, b := range n.machines() {
				if apart[a] != apart[b] {
					n.net.set(a.address, b.address, func(l *simLink) { l.cut = on })
				}
			}
		}
	}
	for m := range apart {
		n.logf("%s is cut off", m.id)
	}
	cut(true)
	n.later(n.between(300, 2500), func() {
		cut(false)
		n.logf("that is mended")
	})
}

// oneWay loses what one machine says to others, or what they say to it.
func (n nemesis) oneWay() {
	m, out := n.any(), n.rng.IntN(2) == 0
	cut := func(on bool) {
		for _, o := range n.machines() {
			from, to := m.address, o.address
			if !out {
				from, to = to, from
			}
			n.net.set(from, to, func(l *simLink) { l.cut = on })
		}
	}
	n.logf("one way of %s is cut, out: %v", m.id, out)
	cut(true)
	n.later(n.between(300, 2500), func() { cut(false) })
}

// lag has a leader hear late what others answer, and then be heard no more:
// it goes on to take itself for the leader for as long as it can.
func (n nemesis) lag() {
	at, _ := n.leader()
	if at == nil {
		return
	}
	set := func(delay time.Duration, cut bool) {
		for _, o := range n.machines() {
			if o != at {
				n.net.set(o.address, at.address, func(l *simLink) { l.delay = delay })
				n.net.set(at.address, o.address, func(l *simLink) { l.cut = cut })
			}
		}
	}
	delay := n.between(120, 320)
	n.logf("%s hears up to %v late, and is not heard any more", at.id, delay)
	set(delay, false)
	silent, mended := n.between(200, 900), n.between(400, 1500)
	n.later(silent, func() { set(delay, true) })
	n.later(silent+mended, func() { set(2*time.Millisecond, false) })
}

// weather has every link delay, lose, repeat and reorder.
func (n nemesis) weather() {
	drop, dup, delay := n.rng.Float64()/5, n.rng.Float64()/4, n.between(5, 400)
	set := func(drop, dup float64, delay time.Duration) {
		for _, a := range n.machines() {
			for _, b := range n.machines() {
				n.net.set(a.address, b.address, func(l *simLink) { l.drop, l.dup, l.delay = drop, dup, delay })
			}
		}
	}
	n.logf("the network loses %.2f, repeats %.2f, delays %v", drop, dup, delay)
	set(drop, dup, delay)
	n.later(n.between(500, 2500), func() { set(0, 0, 2*time.Millisecond) })
}

// pause stops the process of a controller, mostly a leader's, and has it go
// on when others may have elected another.
func (n nemesis) pause() {
	m := n.any()
	if at, _ := n.leader(); at != nil && n.rng.IntN(3) > 0 {
		m = at
	}
	n.logf("%s is paused", m.id)
	m.halt()
	n.later(n.between(300, 2500), func() {
		n.logf("%s goes on", m.id)
		m.disk.pause.end()
	})
}

func (n nemesis) slowDisk() {
	m, latency := n.any(), n.between(20, []int{400, 1500}[n.rng.IntN(2)])
	set := func(latency time.Duration) {
		m.disk.mu.Lock()
		defer m.disk.mu.Unlock()
		m.disk.latency = latency
	}
	n.logf("%s writes in %v", m.id, latency)
	set(latency)
	n.later(n.between(500, 3000), func() { set(0) })
}

func (n nemesis) skew() {
	m := n.any()
	skew := n.between(-5000, 5000)
	m.skew.Store(int64(skew))
	n.logf("the clock of %s is off by %v", m.id, skew)
}

func (n nemesis) transfer() {
	if m, p := n.leader(); p != nil {
		n.logf("%s is to hand leadership on", m.id)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = p.Transfer(ctx, "") // whoever leads, it goes on
	}
}

func (n nemesis) restart() {
	m := n.any()
	n.logf("%s is restarted", m.id)
	m.stop()
	n.later(n.between(0, 1000), m.start)
}

// grow adds a machine, at times one that cannot catch up.
func (n nemesis) grow() {
	_, p := n.leader()
	if p == nil || len(n.machines()) > 7 {
		return
	}
	before := p.State().Index()
	m := n.add()
	m.start()
	if n.rng.IntN(2) == 0 {
		m.disk.mu.Lock()
		m.disk.latency = n.between(200, 3000)
		m.disk.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.between(300, 4000))
	defer cancel()
	err := p.AddMember(ctx, Member{ID: m.id, Address: string(m.address)})
	n.logf("%s is added: %v", m.id, err)
	if o := m.running(); err == nil && o != nil && o.raft.LastIndex() == 0 {
		n.fail("%s has a vote and nothing of the %d commands before", m.id, before)
	}
}

// shrink removes a machine for good.
func (n nemesis) shrink() {
	at, p := n.leader()
	m := n.any()
	if p == nil || m == at || len(p.Members()) <= 3 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := p.RemoveMember(ctx, m.id)
	n.logf("%s is removed: %v", m.id, err)
	if err == nil {
		m.stop()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.gone = true
	}
}
