package supervise

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Config says how a supervisor runs.
type Config struct {
	// Dir holds what must survive the supervisor; one supervisor a directory.
	Dir string
	// Socket is where requests are taken, in a directory of its own that nobody
	// else may enter; it is made with mode 0700. Empty means Dir/run/socket.
	Socket string
	// Cgroup is the group under which each service gets its own. With a leading
	// slash it counts from the mount, otherwise from the supervisor's own group.
	// It belongs to this supervisor alone. Empty means a name made from Dir.
	Cgroup string
	// Agent, if any, is started first and always kept running. Requests cannot
	// change it.
	Agent *Spec
	// Executable is what an upgrade runs; empty means the file of this program
	// as it is found when the supervisor starts.
	Executable string
	// LogInterval is how often logs are looked at for rotation; one second when
	// zero. A log may pass its bound by what is written in one interval.
	LogInterval time.Duration
	// Jitter gives numbers from [0, 1) that keep restarts apart.
	Jitter func() float64
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if !filepath.IsAbs(c.Dir) || c.Jitter == nil || c.Logger == nil {
		return c, fmt.Errorf("supervise: an absolute Dir, Jitter and Logger are needed: %w", model.ErrInvalid)
	}
	if c.Socket == "" {
		c.Socket = filepath.Join(c.Dir, "run", "socket")
	}
	if c.Cgroup == "" {
		c.Cgroup = groupOf(c.Dir)
	}
	if c.LogInterval == 0 {
		c.LogInterval = time.Second
	}
	if c.Executable == "" {
		exe, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("supervise: %w", err)
		}
		c.Executable = exe
	}
	if c.Agent != nil {
		if err := c.Agent.Validate(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// groupOf names the parent of the control groups of a supervisor's services.
func groupOf(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return "gantry-" + hex.EncodeToString(sum[:6])
}
