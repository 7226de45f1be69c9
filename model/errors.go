package model

import "errors"

// The classes of error. An error wraps one of them with its operation and
// subject; the server maps the class to the wire once, the CLI to an exit
// code once.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrInvalid     = errors.New("invalid")
	ErrDenied      = errors.New("denied")
	ErrFrozen      = errors.New("frozen")
	ErrUnavailable = errors.New("unavailable")
)

var classes = [...]error{ErrNotFound, ErrConflict, ErrInvalid, ErrDenied, ErrFrozen, ErrUnavailable}

// Class returns the error class that err wraps, or nil.
func Class(err error) error {
	for _, c := range classes {
		if errors.Is(err, c) {
			return c
		}
	}
	return nil
}
