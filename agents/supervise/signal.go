package supervise

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/model"
)

// Signal is a signal number that is written by its name, such as SIGTERM. The
// zero Signal is none.
type Signal syscall.Signal

// ParseSignal reads "SIGHUP" or "HUP".
func ParseSignal(name string) (Signal, error) {
	full := strings.ToUpper(name)
	if !strings.HasPrefix(full, "SIG") {
		full = "SIG" + full
	}
	n := unix.SignalNum(full)
	if n == 0 {
		return 0, fmt.Errorf("signal %q is unknown; write it like SIGTERM: %w", name, model.ErrInvalid)
	}
	return Signal(n), nil
}

// String is the signal's name, or empty for none.
func (s Signal) String() string {
	if s == 0 {
		return ""
	}
	return unix.SignalName(syscall.Signal(s))
}

// MarshalText writes the signal's name.
func (s Signal) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is ParseSignal, with empty for none.
func (s *Signal) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = 0
		return nil
	}
	v, err := ParseSignal(string(b))
	*s = v
	return err
}
