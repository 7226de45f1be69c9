package archive

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gantry-orchestrator/gantry/model"
)

// Target is where the archive is.
type Target struct {
	Endpoints []string // host:port; the one that takes writes is used
	User      string
	Password  string
	Database  string
	TLS       string // libpq's sslmode; empty is prefer
}

// perEndpoint is how many attempts at connecting an exchange's timeout allows
// for: an endpoint that does not answer is tried with TLS and without.
const perEndpoint = 4

// Connection returns libpq's connection string for t, without the password.
func (t Target) Connection() (string, error) {
	var hosts, ports []string
	for _, e := range t.Endpoints {
		host, port, err := net.SplitHostPort(e)
		if err != nil {
			return "", fmt.Errorf("archive endpoint %q: want host:port: %w: %w", e, err, model.ErrInvalid)
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	if len(hosts) == 0 {
		return "", fmt.Errorf("archive has no endpoint; name at least one host:port: %w", model.ErrInvalid)
	}
	tls := t.TLS
	if tls == "" {
		tls = "prefer"
	}
	var text strings.Builder
	for _, field := range [][2]string{
		{"host", strings.Join(hosts, ",")},
		{"port", strings.Join(ports, ",")},
		{"user", t.User},
		{"dbname", t.Database},
		{"sslmode", tls},
		{"target_session_attrs", "read-write"},
		{"application_name", "telemetry"},
	} {
		fmt.Fprintf(&text, "%s='%s' ", field[0], escape.Replace(field[1]))
	}
	return text.String(), nil
}

// connConfig returns how to connect to t. Statements are neither prepared nor
// cached, so that a connection may lead through a pooler.
func (t Target) connConfig(timeout time.Duration) (*pgx.ConnConfig, error) {
	text, err := t.Connection()
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("archive %v: %w: %w", t.Endpoints, err, model.ErrInvalid)
	}
	config.Password = t.Password
	config.ConnectTimeout = timeout / perEndpoint
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	return config, nil
}

var escape = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// Validate refuses a target that cannot be connected to.
func (t Target) Validate() error {
	_, err := t.connConfig(time.Second)
	return err
}

// Equal reports whether o leads to the same session as t.
func (t Target) Equal(o Target) bool {
	return strings.Join(t.Endpoints, ",") == strings.Join(o.Endpoints, ",") &&
		t.User == o.User && t.Password == o.Password && t.Database == o.Database && t.TLS == o.TLS
}
