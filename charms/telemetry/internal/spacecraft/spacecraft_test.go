package spacecraft

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/model"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func next(t *testing.T, s *Spacecraft) packet.Packet {
	t.Helper()
	p, err := s.Next(noon)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestApplicationProcessesSendInTurnAndCountByThemselves(t *testing.T) {
	s, err := New(42, []packet.APID{5, 9})
	if err != nil {
		t.Fatal(err)
	}
	type sent struct {
		APID  packet.APID
		Count uint16
	}
	var got []sent
	for range 4 {
		p := next(t, s)
		got = append(got, sent{p.Header.APID, p.Header.Count})
	}
	if err := s.Schedule(42, []packet.APID{9, 7}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p := next(t, s)
		got = append(got, sent{p.Header.APID, p.Header.Count})
	}
	if diff := cmp.Diff([]sent{{5, 0}, {9, 0}, {5, 1}, {9, 1}, {9, 2}, {7, 0}}, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func TestTheSequenceCountStartsAgainAfterFourteenBits(t *testing.T) {
	s, err := New(42, []packet.APID{5})
	if err != nil {
		t.Fatal(err)
	}
	for want := range packet.CountModulus {
		if got := next(t, s).Header.Count; int(got) != want {
			t.Fatalf("count %d, want %d", got, want)
		}
	}
	if got := next(t, s).Header.Count; got != 0 {
		t.Errorf("count %d after the last, want 0", got)
	}
}

func TestAPacketCarriesTimeAndReportOfItsSpacecraft(t *testing.T) {
	s, err := New(42, []packet.APID{5})
	if err != nil {
		t.Fatal(err)
	}
	b, err := packet.Encode(next(t, s))
	if err != nil {
		t.Fatal(err)
	}
	p, err := packet.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := packet.DecodeReport(p.Data)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Time.UTC().Equal(noon) || r.Spacecraft != 42 || len(r.Parameters) == 0 {
		t.Errorf("stamped %v with %+v", p.Time.UTC(), r)
	}
}

func TestListsOfAPIDsThatAreRefused(t *testing.T) {
	for name, apids := range map[string][]packet.APID{
		"none":           nil,
		"one twice":      {1, 2, 1},
		"the idle one":   {packet.Idle},
		"one of 12 bits": {0x800},
	} {
		if _, err := New(1, apids); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: error %v, want it refused", name, err)
		}
	}
}
