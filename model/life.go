package model

import "fmt"

// Life is how far a subject has come: Alive, then Dying, then Dead, never back.
type Life uint8

// The stages of life, in order.
const (
	Alive Life = iota
	Dying
	Dead
)

var lifeWords = [...]string{"alive", "dying", "dead"}

// String is the word that status prints.
func (l Life) String() string {
	if int(l) < len(lifeWords) {
		return lifeWords[l]
	}
	return fmt.Sprintf("life(%d)", uint8(l))
}

// MarshalText implements encoding.TextMarshaler.
func (l Life) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Life) UnmarshalText(b []byte) error {
	for i, w := range lifeWords {
		if w == string(b) {
			*l = Life(i)
			return nil
		}
	}
	return fmt.Errorf("life %q: expected alive, dying or dead: %w", b, ErrInvalid)
}
