package model

import (
	"fmt"

	"github.com/agnivade/levenshtein"
)

// Position is a place in a file that an operator wrote. Line and Column count
// from 1; zero means unknown.
type Position struct {
	File         string
	Line, Column int
}

// String writes file:line:column as compilers do, without what is unknown.
func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
}

// At is an error at a position; it belongs to ErrInvalid unless err has a class.
func At(p Position, err error) error {
	if Class(err) == nil {
		return fmt.Errorf("%v: %w: %w", p, err, ErrInvalid)
	}
	return fmt.Errorf("%v: %w", p, err)
}

// Nearest returns the known word that is closest to word, or "" where none is
// close enough to be what was meant (an edit distance of more than a third).
func Nearest(word string, known []string) string {
	best, distance := "", len(word)/3+2
	for _, k := range known {
		if d := levenshtein.ComputeDistance(word, k); d < distance || d == distance && best != "" && k < best {
			best, distance = k, d
		}
	}
	return best
}

// DidYouMean is a clause that names the nearest known word, or "".
func DidYouMean(word string, known []string) string {
	if n := Nearest(word, known); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}
