package model

import "fmt"

// AccessLevel is what a user may do with a model.
type AccessLevel string

// The levels of access; each includes those before it, and "" is none.
const (
	ReadAccess  AccessLevel = "read"
	WriteAccess AccessLevel = "write"
	AdminAccess AccessLevel = "admin"
)

// rank orders the levels.
var rank = map[AccessLevel]int{"": 0, ReadAccess: 1, WriteAccess: 2, AdminAccess: 3}

// Includes reports whether who has l may do what other allows.
func (l AccessLevel) Includes(other AccessLevel) bool {
	_, known := rank[other]
	return known && rank[l] >= rank[other]
}

// ParseAccessLevel parses none, read, write or admin.
func ParseAccessLevel(s string) (AccessLevel, error) {
	switch l := AccessLevel(s); l {
	case "none":
		return "", nil
	case ReadAccess, WriteAccess, AdminAccess:
		return l, nil
	}
	return "", fmt.Errorf("access %q: expected none, read, write or admin%s: %w", s, DidYouMean(s, []string{"none", "read", "write", "admin"}), ErrInvalid)
}
