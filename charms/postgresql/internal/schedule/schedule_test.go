package schedule_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/charms/postgresql/internal/schedule"
	"github.com/gantry-orchestrator/gantry/model"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.DateTime, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhenABackupIsDue(t *testing.T) {
	const now = "2026-03-04 12:34:56" // a Wednesday
	for _, tt := range []struct{ name, schedule, last, kind, next string }{
		{"every minute is this one and the next", "* * * * * full", "2026-03-04 12:34:00", "full", "2026-03-04 12:35:00"},
		{"once a night", "30 1 * * * incremental", "2026-03-04 01:30:00", "incremental", "2026-03-05 01:30:00"},
		{"Sunday is 0", "0 1 * * 0 full", "2026-03-01 01:00:00", "full", "2026-03-08 01:00:00"},
		{"Sunday is 7", "0 1 * * 7 full", "2026-03-01 01:00:00", "full", "2026-03-08 01:00:00"},
		{"steps and lists", "*/20 6-12/3,23 * * * full", "2026-03-04 12:20:00", "full", "2026-03-04 12:40:00"},
		{"a day or a weekday", "0 0 1 * 2 full", "2026-03-03 00:00:00", "full", "2026-03-10 00:00:00"},
		{"a leap day", "0 0 29 2 * full", "2024-02-29 00:00:00", "full", "2028-02-29 00:00:00"},
		{"of several the nearest", "0 1 * * 0 full; 0 1 * * 1-6 differential", "2026-03-04 01:00:00", "differential", "2026-03-05 01:00:00"},
		{"of two at once the more complete", "0 1 * * * incremental; 0 1 * * * full", "2026-03-04 01:00:00", "full", "2026-03-05 01:00:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := schedule.Parse(tt.schedule)
			if err != nil {
				t.Fatal(err)
			}
			last, kind, found := s.Last(at(t, now))
			if !found || !last.Equal(at(t, tt.last)) || kind != tt.kind {
				t.Errorf("last is %v %s %v, want %s %s", last, kind, found, tt.last, tt.kind)
			}
			if next, found := s.Next(at(t, now)); !found || !next.Equal(at(t, tt.next)) {
				t.Errorf("next is %v %v, want %s", next, found, tt.next)
			}
		})
	}
}

func TestWhatIsNoScheduleIsRefused(t *testing.T) {
	for _, text := range []string{"daily", "0 1 * * *", "0 1 * * * weekly", "60 * * * * full", "* * 0 * * full", "5-1 * * * * full", "*/0 * * * * full", "x * * * * full"} {
		if _, err := schedule.Parse(text); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestADayThatNeverComesIsNeverDue(t *testing.T) {
	s, err := schedule.Parse("0 0 30 2 * full")
	if err != nil {
		t.Fatal(err)
	}
	if next, found := s.Next(at(t, "2026-01-01 00:00:00")); found {
		t.Errorf("due at %v", next)
	}
}

func TestNothingIsDueBetweenLastAndNext(t *testing.T) {
	s, err := schedule.Parse("*/7 3,15 * * 1-5 full; 13 */5 2-20/3 * * incremental")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(rapid.Int64Range(1.7e9, 1.9e9).Draw(t, "now"), 0).UTC()
		last, _, _ := s.Last(now)
		next, _ := s.Next(now)
		if last.After(now) || !next.After(now) {
			t.Fatalf("%v is not between %v and %v", now, last, next)
		}
		if again, _ := s.Next(last); !again.Equal(next) {
			t.Fatalf("%v comes between %v and %v", again, last, next)
		}
	})
}
