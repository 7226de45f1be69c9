package etcd

import (
	"fmt"
	"strconv"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// The values of the option tls.
const (
	tlsAuto     = "auto"
	tlsRequired = "required"
	tlsOff      = "off"
)

// settings is the configuration, checked.
type settings struct {
	tls       string
	quota     int
	retention string
	heartbeat int
	election  int
	snapshots int
}

func parseSettings(in effect.Input) (settings, error) {
	s := settings{
		tls: sdk.String(in, "tls"), quota: sdk.Int(in, "quota-backend-bytes"), retention: sdk.String(in, "auto-compaction-retention"),
		heartbeat: sdk.Int(in, "heartbeat-interval"), election: sdk.Int(in, "election-timeout"), snapshots: sdk.Int(in, "snapshot-count"),
	}
	switch {
	case s.tls != tlsAuto && s.tls != tlsRequired && s.tls != tlsOff:
		return s, fmt.Errorf("tls is %q: expected auto, required or off: %w", s.tls, model.ErrInvalid)
	case s.quota < 16<<20 || s.quota > 8<<30:
		return s, fmt.Errorf("quota-backend-bytes is %d: expected 16 MiB to 8 GiB: %w", s.quota, model.ErrInvalid)
	case s.heartbeat < 1 || s.election < 5*s.heartbeat || s.election > 50000:
		return s, fmt.Errorf("election-timeout is %d: expected at least five times heartbeat-interval (%d) and at most 50000: %w", s.election, s.heartbeat, model.ErrInvalid)
	case s.snapshots < 1:
		return s, fmt.Errorf("snapshot-count is %d: expected at least 1: %w", s.snapshots, model.ErrInvalid)
	}
	if d, err := time.ParseDuration(s.retention); s.retention != "0" && (err != nil || d < 0) {
		return s, fmt.Errorf("auto-compaction-retention is %q: expected a time such as 30m, or 0: %w", s.retention, model.ErrInvalid)
	}
	return s, nil
}

// flags are etcd's of the settings.
func (s settings) flags() []string {
	return []string{
		"--quota-backend-bytes=" + strconv.Itoa(s.quota),
		"--auto-compaction-mode=periodic", "--auto-compaction-retention=" + s.retention,
		"--heartbeat-interval=" + strconv.Itoa(s.heartbeat), "--election-timeout=" + strconv.Itoa(s.election),
		"--snapshot-count=" + strconv.Itoa(s.snapshots),
	}
}
