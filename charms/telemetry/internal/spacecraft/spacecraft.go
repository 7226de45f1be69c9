// Package spacecraft makes the housekeeping telemetry of a simulated
// spacecraft: a packet at a time, from one application process after the
// other. It is pure: the same calls make the same packets.
package spacecraft

import (
	"fmt"
	"math"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/model"
)

// Spacecraft holds the sequence counts of one spacecraft's application
// processes, which start at zero as after a reboot.
type Spacecraft struct {
	number uint16
	apids  []packet.APID
	turn   int
	counts map[packet.APID]uint16
}

// New returns a spacecraft whose packets come from apids in turn.
func New(number uint16, apids []packet.APID) (*Spacecraft, error) {
	s := &Spacecraft{counts: map[packet.APID]uint16{}}
	if err := s.Schedule(number, apids); err != nil {
		return nil, err
	}
	return s, nil
}

// Schedule changes the spacecraft's number and the application processes that
// send. The sequence counts of those that did already go on.
func (s *Spacecraft) Schedule(number uint16, apids []packet.APID) error {
	if err := CheckAPIDs(apids); err != nil {
		return err
	}
	s.number, s.apids, s.turn = number, apids, 0
	return nil
}

// CheckAPIDs refuses a list that no schedule can be made of.
func CheckAPIDs(apids []packet.APID) error {
	if len(apids) == 0 {
		return fmt.Errorf("no APID: name at least one from 0 to %d: %w", packet.Idle-1, model.ErrInvalid)
	}
	seen := map[packet.APID]bool{}
	for _, a := range apids {
		if a >= packet.Idle || seen[a] {
			return fmt.Errorf("APID %d: name each from 0 to %d at most once: %w", a, packet.Idle-1, model.ErrInvalid)
		}
		seen[a] = true
	}
	return nil
}

// Next returns the packet that the next application process sends at now.
func (s *Spacecraft) Next(now time.Time) (packet.Packet, error) {
	stamp, err := packet.TimeOf(now)
	if err != nil {
		return packet.Packet{}, err
	}
	apid := s.apids[s.turn%len(s.apids)]
	s.turn++
	count := s.counts[apid]
	s.counts[apid] = (count + 1) % packet.CountModulus
	return packet.Packet{
		Header:  packet.Header{Type: packet.Telemetry, APID: apid, Flags: packet.Unsegmented, Count: count},
		Stamped: true,
		Time:    stamp,
		Data:    packet.AppendReport(nil, packet.Report{Spacecraft: s.number, Parameters: sample(apid, now)}),
	}, nil
}

// orbit is the period of the simulated orbit, 400 km above the Earth.
const orbit = 5553 * time.Second

// sample returns what an application process measures at now: the figures go
// round with the orbit, each process at a phase of its own.
func sample(apid packet.APID, now time.Time) []packet.Parameter {
	phase := 2 * math.Pi * (float64(now.UnixNano()%int64(orbit))/float64(orbit) + float64(apid)/float64(packet.Idle))
	sunlit := math.Max(0, math.Sin(phase))
	return []packet.Parameter{
		{ID: 1, Value: 28 + 4*sunlit},                          // bus voltage, V
		{ID: 2, Value: 2.5 + 1.5*sunlit},                       // bus current, A
		{ID: 3, Value: 283 + 20*math.Sin(phase-math.Pi/4)},     // battery temperature, K
		{ID: 4, Value: 51.6 * math.Sin(phase) * math.Pi / 180}, // geocentric latitude, rad
	}
}
