package telemetry

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/program"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/spacecraft"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// settings are the options of the application, checked.
type settings struct {
	rate       float64
	apids      []string
	spacecraft int
}

// parseSettings refuses what the program would refuse, before it is written.
func parseSettings(in effect.Input) (settings, error) {
	s := settings{rate: sdk.Float(in, "rate"), spacecraft: sdk.Int(in, "spacecraft")}
	if s.rate <= 0 || s.rate > program.MaxRate {
		return settings{}, fmt.Errorf("rate is %v: set more than 0 and at most %d packets a second: %w", s.rate, program.MaxRate, model.ErrInvalid)
	}
	if s.spacecraft < 0 || s.spacecraft > 65535 {
		return settings{}, fmt.Errorf("spacecraft is %d: set 0 to 65535: %w", s.spacecraft, model.ErrInvalid)
	}
	var apids []packet.APID
	for text := range strings.SplitSeq(sdk.String(in, "apids"), ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 11)
		if err != nil {
			return settings{}, fmt.Errorf("apids has %q: set numbers from 0 to %d with commas between: %w", text, packet.Idle-1, model.ErrInvalid)
		}
		apids = append(apids, packet.APID(n))
		s.apids = append(s.apids, strconv.FormatUint(n, 10))
	}
	if err := spacecraft.CheckAPIDs(apids); err != nil {
		return settings{}, fmt.Errorf("apids: %w", err)
	}
	return s, nil
}
