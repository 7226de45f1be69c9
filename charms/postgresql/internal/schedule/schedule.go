// Package schedule reads when backups are due, as cron writes it, in UTC. It is
// pure: the time is an argument.
package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Schedule is a set of entries; the zero value is never due.
type Schedule []entry

// entry is due in the minutes that its fields name.
type entry struct {
	minute, hour, day, month, weekday set
	anyDay, anyWeekday                bool
	kind                              string
}

// set has a bit for each number.
type set uint64

func (s set) has(n int) bool { return s&(1<<n) != 0 }

// Kinds are what an entry may make, the most complete first.
var Kinds = []string{"full", "differential", "incremental"}

// Parse reads entries with semicolons between: five fields as in crontab(5),
// of numbers, and a kind.
func Parse(text string) (Schedule, error) {
	var s Schedule
	for part := range strings.SplitSeq(text, ";") {
		fields := strings.Fields(part)
		if len(fields) == 0 {
			continue
		}
		e, err := parseEntry(fields)
		if err != nil {
			return nil, fmt.Errorf("%q: %w: %w", strings.TrimSpace(part), err, model.ErrInvalid)
		}
		s = append(s, e)
	}
	return s, nil
}

func parseEntry(fields []string) (entry, error) {
	if len(fields) != 6 || !slices.Contains(Kinds, fields[5]) {
		return entry{}, fmt.Errorf("expected minute, hour, day, month, weekday and one of %s", strings.Join(Kinds, ", "))
	}
	e := entry{kind: fields[5], anyDay: fields[2] == "*", anyWeekday: fields[4] == "*"}
	for i, f := range []struct {
		into      *set
		low, high int
	}{{&e.minute, 0, 59}, {&e.hour, 0, 23}, {&e.day, 1, 31}, {&e.month, 1, 12}, {&e.weekday, 0, 7}} {
		var err error
		if *f.into, err = parseField(fields[i], f.low, f.high); err != nil {
			return entry{}, err
		}
	}
	if e.weekday.has(7) {
		e.weekday |= 1 // Sunday has two numbers
	}
	return e, nil
}

// parseField reads a list of *, N, N-M, each with /STEP or without.
func parseField(text string, low, high int) (s set, err error) {
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
				return 0, fmt.Errorf("step %q: expected a number from 1", stepText)
			}
		}
		from, to := low, high
		if span != "*" {
			a, b, ranged := strings.Cut(span, "-")
			if from, err = strconv.Atoi(a); err != nil {
				return 0, fmt.Errorf("%q: expected *, or numbers from %d to %d", part, low, high)
			}
			switch {
			case ranged:
				if to, err = strconv.Atoi(b); err != nil {
					return 0, fmt.Errorf("%q: expected *, or numbers from %d to %d", part, low, high)
				}
			case !stepped:
				to = from
			}
		}
		if from < low || to > high || from > to {
			return 0, fmt.Errorf("%q: expected numbers from %d to %d", part, low, high)
		}
		for n := from; n <= to; n += step {
			s |= 1 << n
		}
	}
	return s, nil
}

// onDay follows cron: where both the day and the weekday are given, either will
// do.
func (e entry) onDay(t time.Time) bool {
	day, weekday := e.day.has(t.Day()), e.weekday.has(int(t.Weekday()))
	switch {
	case !e.month.has(int(t.Month())):
		return false
	case e.anyDay || e.anyWeekday:
		return day && weekday
	default:
		return day || weekday
	}
}

// horizon is how many days are looked at: leap days are eight years apart at
// the most.
const horizon = 8*366 + 1

// Last is the newest time that is not after now, and the most complete kind
// that was due then.
func (s Schedule) Last(now time.Time) (at time.Time, kind string, found bool) {
	return s.search(now.UTC().Truncate(time.Minute), -1)
}

// Next is the oldest time after now.
func (s Schedule) Next(now time.Time) (at time.Time, found bool) {
	at, _, found = s.search(now.UTC().Truncate(time.Minute).Add(time.Minute), 1)
	return at, found
}

// search goes from a minute in a direction, that minute included.
func (s Schedule) search(from time.Time, direction int) (at time.Time, kind string, found bool) {
	for _, e := range s {
		t, ok := e.search(from, direction)
		closer := !found || direction > 0 && t.Before(at) || direction < 0 && t.After(at)
		if ok && (closer || t.Equal(at) && slices.Index(Kinds, e.kind) < slices.Index(Kinds, kind)) {
			at, kind, found = t, e.kind, true
		}
	}
	return at, kind, found
}

func (e entry) search(from time.Time, direction int) (time.Time, bool) {
	midnight := from.Truncate(24 * time.Hour)
	for range horizon {
		if e.onDay(midnight) {
			for i := range 24 * 60 {
				if direction < 0 {
					i = 24*60 - 1 - i
				}
				t := midnight.Add(time.Duration(i) * time.Minute)
				passed := direction > 0 && t.Before(from) || direction < 0 && t.After(from)
				if !passed && e.hour.has(t.Hour()) && e.minute.has(t.Minute()) {
					return t, true
				}
			}
		}
		midnight = midnight.AddDate(0, 0, direction)
	}
	return time.Time{}, false
}
