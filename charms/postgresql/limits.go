package postgresql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// limits are PostgreSQL's own for a number, as pg_settings has them, or
// narrower ones where what it allows cannot serve.
type limits struct {
	option   string
	min, max int
}

// numbers are the options that are plain numbers. A connection costs memory in
// every member at start: ten thousand are more than one host serves, where
// PostgreSQL would count to 262143 and fail for want of memory.
var numbers = []limits{
	{"max_connections", 10, 10000},
	{"statement_timeout", 0, maxInt},
	{"idle_in_transaction_session_timeout", 0, maxInt},
	{"log_min_duration_statement", -1, maxInt},
	{"durability_maximum_lag_on_failover", 0, maxInt},
	{"backup_retention_days", 1, 9999},
}

const (
	maxInt   = 1<<31 - 1
	terabyte = 1 << 30 // in kB
)

// sizeLimits are for an amount of memory or of disk, in kB.
type sizeLimits struct {
	option   string
	unit     int // kB of a number without a unit
	min, max int
}

// sizes are the options that are amounts. PostgreSQL's own limits of memory
// are no use against a slip of the keyboard: 1TB is more than any host gives.
var sizes = []sizeLimits{
	{"shared_buffers", 8, 128, terabyte},
	{"work_mem", 1, 64, terabyte},
	{"maintenance_work_mem", 1, 1024, terabyte},
	{"wal_keep_size", 1024, 0, 1024 * terabyte},
}

// sizeUnits are those that PostgreSQL knows of an amount, in kB.
var sizeUnits = []struct {
	name string
	kB   int
}{{"kB", 1}, {"MB", 1 << 10}, {"GB", 1 << 20}, {"TB", terabyte}}

// checkLimits refuses what PostgreSQL would refuse, or start with and fail. An
// option that has no value is none of the charm's revision.
func checkLimits(in effect.Input) error {
	for _, l := range numbers {
		if n := sdk.Int(in, l.option); has(in, l.option) && (n < l.min || n > l.max) {
			return fmt.Errorf("%s is %d: expected %d to %d", l.option, n, l.min, l.max)
		}
	}
	for _, l := range sizes {
		text := sdk.String(in, l.option)
		if !has(in, l.option) || text == "" && l.option == "shared_buffers" { // the profile's
			continue
		}
		kB, err := kilobytes(text, l.unit)
		if err != nil {
			return fmt.Errorf("%s is %q: %w", l.option, text, err)
		}
		if kB < l.min || kB > l.max {
			return fmt.Errorf("%s is %s: expected %s to %s", l.option, text, sizeText(l.min), sizeText(l.max))
		}
	}
	return nil
}

func has(in effect.Input, option string) bool {
	_, set := in.Spec.Config[option]
	return set
}

// kilobytes reads an amount; one without a unit counts in units of that many kB.
func kilobytes(text string, unit int) (int, error) {
	digits := text
	for _, u := range sizeUnits {
		if rest, found := strings.CutSuffix(text, u.name); found {
			digits, unit = strings.TrimSpace(rest), u.kB
		}
	}
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil {
		return 0, errors.New("expected a whole number with kB, MB, GB or TB, such as 64MB")
	}
	return int(n) * unit, nil
}

func sizeText(kB int) string {
	for i := len(sizeUnits) - 1; i > 0; i-- {
		if u := sizeUnits[i]; kB >= u.kB && kB%u.kB == 0 {
			return fmt.Sprint(kB/u.kB, u.name)
		}
	}
	return fmt.Sprint(kB, "kB")
}
