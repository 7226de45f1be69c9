package model

import "fmt"

// Level says how a unit, an application or a machine fares.
type Level uint8

// The levels, the most pressing last: an application shows its units' worst.
const (
	Unknown     Level = iota // nothing was reported yet
	Active                   // it does its work
	Maintenance              // it changes something itself
	Waiting                  // it waits for another
	Blocked                  // a person must act
)

var levelWords = [...]string{"unknown", "active", "maintenance", "waiting", "blocked"}

// Status is what a charm or an agent reports.
type Status struct {
	Level   Level  `json:"level"`
	Message string `json:"message,omitempty"`
}

// String is the word that status prints.
func (l Level) String() string {
	if int(l) < len(levelWords) {
		return levelWords[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// MarshalText implements encoding.TextMarshaler.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Level) UnmarshalText(b []byte) error {
	for i, w := range levelWords {
		if w == string(b) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("status level %q: expected unknown, active, maintenance, waiting or blocked: %w", b, ErrInvalid)
}

// Worse returns the more pressing of two statuses, a where they are level.
func Worse(a, b Status) Status {
	if b.Level > a.Level {
		return b
	}
	return a
}
