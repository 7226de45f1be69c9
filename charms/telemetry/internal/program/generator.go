package program

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/spacecraft"
)

// behind is how late the next packet may be before the ones that were not
// made are given up.
const behind = time.Second

// plan is what a generator makes.
type plan struct {
	spacecraft uint16
	rate       float64
	apids      []packet.APID
}

func (c config) plan() plan { return plan{spacecraft: c.Spacecraft, rate: c.Rate, apids: c.APIDs} }

// interval is the time from one packet to the next.
func (p plan) interval() time.Duration { return time.Duration(float64(time.Second) / p.rate) }

// generator makes packets on time and queues them.
type generator struct {
	craft  *spacecraft.Spacecraft
	plan   plan
	plans  chan plan // changes, taken up between two packets
	queue  chan<- archive.Packet
	made   func(packet.APID)
	run    uint64
	serial uint64
}

func newGenerator(c config, queue chan<- archive.Packet, made func(packet.APID)) (*generator, error) {
	craft, err := spacecraft.New(c.Spacecraft, c.APIDs)
	if err != nil {
		return nil, err
	}
	return &generator{craft: craft, plan: c.plan(), plans: make(chan plan), queue: queue, made: made, run: rand.Uint64()}, nil
}

// generate makes packets until ctx ends, and closes the queue. While the queue
// is full none is made.
func (g *generator) generate(ctx context.Context) error {
	defer close(g.queue)
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case changed := <-g.plans:
			if err := g.craft.Schedule(changed.spacecraft, changed.apids); err != nil {
				return err
			}
			g.plan, next = changed, time.Now()
			timer.Reset(0)
		case now := <-timer.C:
			p, err := g.next(now)
			if err != nil {
				return err
			}
			select {
			case g.queue <- p:
				g.made(packet.APID(p.APID))
			case <-ctx.Done():
				return nil
			}
			if next = next.Add(g.plan.interval()); time.Since(next) > behind {
				next = time.Now()
			}
			timer.Reset(time.Until(next))
		}
	}
}

func (g *generator) next(now time.Time) (archive.Packet, error) {
	p, err := g.craft.Next(now)
	if err != nil {
		return archive.Packet{}, err
	}
	octets, err := packet.Encode(p)
	if err != nil {
		return archive.Packet{}, err
	}
	g.serial++
	return archive.Packet{
		ID:         ledger.NewID(g.run, g.serial),
		Spacecraft: g.plan.spacecraft,
		APID:       uint16(p.Header.APID),
		Count:      p.Header.Count,
		Generated:  p.Time.UTC(),
		Octets:     octets,
	}, nil
}
