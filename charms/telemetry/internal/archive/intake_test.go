package archive

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/pgtest"
	"github.com/gantry-orchestrator/gantry/model"
)

var (
	first  = TopicID{1}
	second = TopicID{2}
)

func at(topic TopicID, next ...int64) Position {
	p := Position{Topic: topic, Next: map[int32]int64{}}
	for partition, offset := range next {
		p.Next[int32(partition)] = offset
	}
	return p
}

func arrivals(partition int32, serials ...uint64) (all []Arrival) {
	for _, serial := range serials {
		all = append(all, Arrival{Packet: packetOf(serial), Source: "telemetry/0", Partition: partition})
	}
	return all
}

func TestAPositionCoversAnotherOfTheSameTopic(t *testing.T) {
	for name, test := range map[string]struct {
		taken, ends Position
		want        bool
	}{
		"at its end":                  {at(first, 3, 4), at(first, 3, 4), true},
		"beyond it":                   {at(first, 5, 4), at(first, 3, 4), true},
		"not before one partition's":  {at(first, 3, 3), at(first, 3, 4), false},
		"not where it has none of it": {at(first, 3), at(first, 3, 4), false},
		"not another topic's":         {at(second, 9, 9), at(first, 3, 4), false},
	} {
		if got := test.taken.Covers(test.ends); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func intake(t *testing.T, server *pgtest.Server) *Intake {
	t.Helper()
	i, err := OpenIntake(t.Context(), target(server.Endpoint), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func TestIntake(t *testing.T) {
	server := pgtest.New(t)
	position := func(t *testing.T, i *Intake, topic TopicID, partitions ...int32) Position {
		t.Helper()
		p, err := i.Position(t.Context(), topic, partitions)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	catalog := NewCatalog("telemetry/0", 10*time.Second, target(server.Endpoint))

	t.Run("rows and position move together, and once", func(t *testing.T) {
		one, other := intake(t, server), intake(t, server)
		begun := position(t, one, first, 0, 1)
		if diff := cmp.Diff(at(first, 0, 0), begun); diff != "" {
			t.Fatalf("a topic begins elsewhere (-want +got):\n%s", diff)
		}
		batch := Batch{From: begun, To: at(first, 2, 1), Packets: append(arrivals(0, 1, 2), arrivals(1, 3)...)}
		if err := one.Take(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		for name, again := range map[string]*Intake{"who sent it": one, "another archiver": other} {
			if err := again.Take(t.Context(), batch); !errors.Is(err, model.ErrConflict) {
				t.Errorf("%s sends it again with error %v, want a conflict", name, err)
			}
		}
		for serial := uint64(1); serial <= 3; serial++ {
			if n := rows(t, server, serial); n != 1 {
				t.Errorf("packet %d is archived %d times", serial, n)
			}
		}
		taken, err := catalog.Position(t.Context(), first)
		if diff := cmp.Diff(at(first, 2, 1), taken); err != nil || diff != "" {
			t.Errorf("the position, with error %v (-want +got):\n%s", err, diff)
		}
	})
	t.Run("a partition that another moved is left out whole, the rest is taken", func(t *testing.T) {
		i := intake(t, server)
		batch := Batch{From: at(first, 0, 1), To: at(first, 4, 2), Packets: append(arrivals(0, 1, 2, 4, 5), arrivals(1, 6)...)}
		if err := i.Take(t.Context(), batch); !errors.Is(err, model.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
		for serial, want := range map[uint64]int{1: 1, 2: 1, 4: 0, 5: 0, 6: 1} {
			if n := rows(t, server, serial); n != want {
				t.Errorf("packet %d is archived %d times, want %d", serial, n, want)
			}
		}
		if diff := cmp.Diff(at(first, 2, 2), position(t, i, first, 0, 1)); diff != "" {
			t.Errorf("the position (-want +got):\n%s", diff)
		}
	})
	t.Run("records without a packet move the position alone", func(t *testing.T) {
		i := intake(t, server)
		if err := i.Take(t.Context(), Batch{From: at(first, 2), To: at(first, 9)}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(at(first, 9, 2), position(t, i, first, 0, 1)); diff != "" {
			t.Errorf("the position (-want +got):\n%s", diff)
		}
	})
	t.Run("a topic made anew begins at zero, and a partition more too", func(t *testing.T) {
		if diff := cmp.Diff(at(second, 0, 0, 0), position(t, intake(t, server), second, 0, 1, 2)); diff != "" {
			t.Errorf("the position (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(at(first, 9, 2, 0), position(t, intake(t, server), first, 0, 1, 2)); diff != "" {
			t.Errorf("the position (-want +got):\n%s", diff)
		}
	})
	t.Run("one holder at a time has a topic, until its lease ends", func(t *testing.T) {
		i := intake(t, server)
		claim := func(holder string, lease time.Duration, want bool) {
			t.Helper()
			if held, err := i.Claim(t.Context(), first, holder, lease); err != nil || held != want {
				t.Errorf("%s claims the topic: %v with error %v, want %v", holder, held, err, want)
			}
		}
		claim("telemetry/0", time.Hour, true)
		claim("telemetry/1", time.Hour, false)
		claim("telemetry/0", -time.Second, true) // prolonged into the past
		claim("telemetry/1", time.Hour, true)
		claim("telemetry/0", time.Hour, false)
		if held, err := i.Claim(t.Context(), second, "telemetry/0", time.Hour); err != nil || !held {
			t.Errorf("another topic: %v with error %v", held, err)
		}
	})
	t.Run("the catalog tells which packets are held", func(t *testing.T) {
		ids := []ledger.ID{packetOf(1).ID, packetOf(99).ID}
		held, err := catalog.Holds(t.Context(), ids)
		if diff := cmp.Diff(map[ledger.ID]bool{ids[0]: true, ids[1]: false}, held); err != nil || diff != "" {
			t.Errorf("held, with error %v (-want +got):\n%s", err, diff)
		}
	})
}
