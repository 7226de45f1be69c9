package postgresql

import (
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestAValueOutsideItsLimitsIsNamedAndChangesNothing(t *testing.T) {
	for _, tt := range []struct {
		option string
		value  any
		want   string // of the status
	}{
		{"max_connections", int64(-5), "max_connections is -5: expected 10 to 10000"},
		{"max_connections", int64(99999999), "max_connections is 99999999: expected 10 to 10000"},
		{"shared_buffers", "100TB", "shared_buffers is 100TB: expected 128kB to 1TB"},
		{"shared_buffers", "15", "shared_buffers is 15: expected 128kB to 1TB"}, // blocks of 8 kB
		{"work_mem", "63kB", "work_mem is 63kB: expected 64kB to 1TB"},
		{"work_mem", "-4MB", "work_mem is -4MB: expected 64kB to 1TB"},
		{"maintenance_work_mem", "much", `maintenance_work_mem is "much": expected a whole number with kB, MB, GB or TB`},
		{"statement_timeout", int64(-1), "statement_timeout is -1: expected 0 to"},
		{"backup_retention_days", int64(0), "backup_retention_days is 0: expected 1 to"},
	} {
		m := deployed(t, 1, nil)
		u := m.Unit(0)
		u.Forget()
		m.Configure(map[string]any{"profile": "testing", tt.option: tt.value})
		m.Settle()
		if got := u.Status(); got.Level != model.Blocked || !strings.Contains(got.Message, tt.want) {
			t.Errorf("%s=%v: %v, want it blocked: %s", tt.option, tt.value, got, tt.want)
		}
		if done := u.Done(); len(done) > 0 || !u.Running(serviceID) {
			t.Errorf("%s=%v: it did %v", tt.option, tt.value, done)
		}
	}
}

func TestAValueWithinItsLimitsIsTaken(t *testing.T) {
	for option, values := range map[string][]any{
		"max_connections": {int64(10), int64(10000)}, "log_min_duration_statement": {int64(-1)}, "wal_keep_size": {"0", "2TB"},
		"shared_buffers": {"", "16", "128kB", "1TB", "512 MB"}, "work_mem": {"64", "1GB"},
	} {
		for _, v := range values {
			if err := checkLimits(effect.Input{Spec: effect.Spec{Config: map[string]any{option: v}}}); err != nil {
				t.Errorf("%s=%v: %v", option, v, err)
			}
		}
	}
}
