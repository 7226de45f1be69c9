package roles

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model"
)

// lastPort is the highest port of TCP.
const lastPort = 65535

// validate checks what the command line says by itself.
func (o upOptions) validate() error {
	switch o.provider {
	case "", "sandbox", "loopback":
	default:
		return fmt.Errorf("--provider %q: expected sandbox or loopback: %w", o.provider, model.ErrInvalid)
	}
	switch o.base {
	case "", provider.BaseDebian, provider.BaseHost:
	default:
		return fmt.Errorf("--base %q: expected %s or %s: %w", o.base, provider.BaseDebian, provider.BaseHost, model.ErrInvalid)
	}
	if o.port < 1 || o.port > lastPort {
		return fmt.Errorf("--port %d: expected 1 to %d: %w", o.port, lastPort, model.ErrInvalid)
	}
	if o.health < -1 || o.health > lastPort {
		return fmt.Errorf("--health-port %d: expected 1 to %d, or -1 for none: %w", o.health, lastPort, model.ErrInvalid)
	}
	return nil
}

// keeps refuses what differs from the choice of an earlier up, which stands.
func (o upOptions) keeps(chosen Install) error {
	for _, choice := range []struct {
		flag        string
		asked, kept any
	}{
		{"port", o.port, chosen.Port},
		{"health-port", o.health, chosen.Health},
		{"base", o.base, chosen.Base},
	} {
		if o.given != nil && o.given(choice.flag) && choice.asked != choice.kept {
			return fmt.Errorf("--%s %v: this install has %v, for good: leave the flag out, run gantry down --destroy first, or give another --%s: %w",
				choice.flag, choice.asked, choice.kept, stateDirFlag, model.ErrConflict)
		}
	}
	return nil
}

// free refuses ports that somebody listens on, before anything is begun.
func (i Install) free() error {
	for _, at := range []struct{ flag, address string }{
		{"port", net.JoinHostPort("", strconv.Itoa(i.Port))},
		{"health-port", i.health()},
	} {
		if at.address == "" {
			continue
		}
		l, err := net.Listen("tcp", at.address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("somebody listens on %s already: give another --%s: %w", at.address, at.flag, model.ErrConflict)
		}
		if err == nil {
			_ = l.Close()
		}
	}
	return nil
}
