package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// cluster is the PostgreSQL application of a workspace, seen by psql.
type cluster struct {
	workspace
	app      string
	password string // of the role operator
}

func (w workspace) cluster(t testing.TB, app string) *cluster {
	t.Helper()
	return &cluster{workspace: w, app: app, password: w.act(t, app+"/0", "get-password")["password"]}
}

// sql runs a statement on one member by the host's psql and returns what it
// prints.
func (c *cluster) sql(address, database, statement string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement,
		fmt.Sprintf("host=%s port=5432 user=operator dbname=%s connect_timeout=3", address, database))
	cmd.Env = append(os.Environ(), "PGPASSWORD="+c.password)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("psql at %s: %s", address, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}

// on is sql that must succeed.
func (c *cluster) on(t testing.TB, address, database, statement string) string {
	t.Helper()
	out, err := c.sql(address, database, statement)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// members are the application's units, from a fresh status.
func (c *cluster) members(t testing.TB) []operator.Unit {
	t.Helper()
	return application(t, c.status(t), c.app).Units
}

// primary proves which member takes writes: it alone is not in recovery and
// commits.
func (c *cluster) primary(t testing.TB) operator.Unit {
	t.Helper()
	var found operator.Unit
	eventually(t, time.Minute, "one primary", func() error {
		var primaries []operator.Unit
		for _, u := range c.members(t) {
			if out, err := c.sql(u.Address, "postgres", "SELECT pg_is_in_recovery()"); err == nil && out == "f" {
				primaries = append(primaries, u)
			}
		}
		if len(primaries) != 1 {
			return fmt.Errorf("%d primaries", len(primaries))
		}
		found = primaries[0]
		_, err := c.sql(found.Address, "postgres", "SELECT pg_current_xact_id()")
		return err
	})
	return found
}

// synchronous is a standby that confirms commits.
func (c *cluster) synchronous(t testing.TB) operator.Unit {
	t.Helper()
	name := c.on(t, c.primary(t).Address, "postgres", "SELECT application_name FROM pg_stat_replication WHERE sync_state = 'sync' LIMIT 1")
	members := c.members(t)
	i := slices.IndexFunc(members, func(u operator.Unit) bool { return u.Name.Dashed() == name })
	if i < 0 {
		t.Fatalf("the synchronous standby is %q, which is no unit", name)
	}
	return members[i]
}

// streaming waits until every other member streams from the primary, one of
// them synchronously.
func (c *cluster) streaming(t testing.TB, members int, limit time.Duration) {
	t.Helper()
	eventually(t, limit, "all members stream", func() error {
		address := c.primary(t).Address
		out, err := c.sql(address, "postgres",
			"SELECT count(*), count(*) FILTER (WHERE sync_state = 'sync') FROM pg_stat_replication WHERE state = 'streaming'")
		if err != nil {
			return err
		}
		var all, synchronous int
		if _, err := fmt.Sscanf(out, "%d|%d", &all, &synchronous); err != nil {
			return err
		}
		if all < members-1 || synchronous < 1 {
			return fmt.Errorf("%d members stream, %d synchronously", all, synchronous)
		}
		return nil
	})
}

// identifiers are the system identifiers of members that answer, by unit.
func (c *cluster) identifiers(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, u := range c.members(t) {
		found[u.Name.String()] = c.on(t, u.Address, "postgres", "SELECT system_identifier FROM pg_control_system()")
	}
	return found
}
