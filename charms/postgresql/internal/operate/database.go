package operate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
)

const sqlPort = 5432

// SQL is PostgreSQL's own port on the primary, as the role operator. Where
// Address is the directory of its sockets, the server knows the role by the
// process's user, without a password.
type SQL struct {
	Address  string
	Password string
}

// Grant is what a relation's client gets.
type Grant struct {
	Database string
	User     string
	Password string
	Roles    []string // further roles, such as createdb

	Extensions []string // that the database has
}

// Ensure makes the database and a login role that owns it, and the function by
// which PgBouncer looks passwords up. What exists is set right.
func (s SQL) Ensure(ctx context.Context, g Grant) error {
	conn, err := s.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer closing(ctx, conn)
	user := pgx.Identifier{g.User}.Sanitize()
	if err := s.login(ctx, conn, g.User, g.Password); err != nil {
		return err
	}
	for _, role := range g.Roles {
		if err := s.grant(ctx, conn, user, role); err != nil {
			return err
		}
	}
	if exists, err := s.exists(ctx, conn, "SELECT 1 FROM pg_database WHERE datname = $1", g.Database); err != nil {
		return err
	} else if !exists {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{g.Database}.Sanitize()); err != nil {
			return fmt.Errorf("database %s: %w", g.Database, err)
		}
	}
	if _, err := conn.Exec(ctx, fmt.Sprintf("GRANT ALL ON DATABASE %s TO %s", pgx.Identifier{g.Database}.Sanitize(), user)); err != nil {
		return fmt.Errorf("database %s: %w", g.Database, err)
	}
	return s.inDatabase(ctx, g, user)
}

// login makes a role that can log in with a password, or sets its password.
func (s SQL) login(ctx context.Context, conn *pgx.Conn, user, password string) error {
	verb := "CREATE"
	if exists, err := s.exists(ctx, conn, "SELECT 1 FROM pg_roles WHERE rolname = $1", user); err != nil {
		return err
	} else if exists {
		verb = "ALTER"
	}
	if _, err := conn.Exec(ctx, fmt.Sprintf("%s ROLE %s LOGIN PASSWORD %s", verb, pgx.Identifier{user}.Sanitize(), literal(password))); err != nil {
		return fmt.Errorf("role %s: %w", user, withoutStatement(err))
	}
	return nil
}

// ChangePasswords sets the passwords of those roles that exist, by name.
func (s SQL) ChangePasswords(ctx context.Context, changed map[string]string) error {
	conn, err := s.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer closing(ctx, conn)
	for user, password := range changed {
		exists, err := s.exists(ctx, conn, "SELECT 1 FROM pg_roles WHERE rolname = $1", user)
		if err == nil && exists {
			err = s.login(ctx, conn, user, password)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// EnsureMonitor makes a role that reads statistics.
func (s SQL) EnsureMonitor(ctx context.Context, user, password string) error {
	conn, err := s.connect(ctx, "postgres")
	if err != nil {
		return err
	}
	defer closing(ctx, conn)
	if err := s.login(ctx, conn, user, password); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "GRANT pg_monitor TO "+pgx.Identifier{user}.Sanitize()); err != nil {
		return fmt.Errorf("role %s: %w", user, err)
	}
	return nil
}

// attributes are the further roles that are attributes of the role itself.
var attributes = map[string]string{"createdb": "CREATEDB", "createrole": "CREATEROLE"}

func (s SQL) grant(ctx context.Context, conn *pgx.Conn, user, role string) error {
	attribute, ok := attributes[strings.ToLower(role)]
	if !ok {
		return fmt.Errorf("extra-user-roles: %q is not offered; expected createdb or createrole", role)
	}
	_, err := conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s %s", user, attribute))
	return err
}

// lookup is the function that PgBouncer's auth_query calls. It answers for
// ordinary roles only.
const lookup = `
CREATE SCHEMA IF NOT EXISTS pgbouncer;
CREATE OR REPLACE FUNCTION pgbouncer.get_auth(name text) RETURNS TABLE(username text, password text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT usename::text, passwd::text FROM pg_shadow WHERE usename = name AND NOT usesuper AND NOT userepl $$;
REVOKE ALL ON FUNCTION pgbouncer.get_auth(text) FROM PUBLIC;
`

func (s SQL) inDatabase(ctx context.Context, g Grant, user string) error {
	conn, err := s.connect(ctx, g.Database)
	if err != nil {
		return err
	}
	defer closing(ctx, conn)
	if _, err := conn.Exec(ctx, lookup); err != nil {
		return fmt.Errorf("pgbouncer's lookup in %s: %w", g.Database, err)
	}
	for _, e := range g.Extensions {
		if _, err := conn.Exec(ctx, "CREATE EXTENSION IF NOT EXISTS "+pgx.Identifier{e}.Sanitize()+" CASCADE"); err != nil {
			return fmt.Errorf("extension %s in %s: %w", e, g.Database, err)
		}
	}
	statements := fmt.Sprintf(`GRANT USAGE ON SCHEMA pgbouncer TO %[1]s;
GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(text) TO %[1]s;
GRANT ALL ON SCHEMA public TO %[1]s;`, user)
	if _, err := conn.Exec(ctx, statements); err != nil {
		return fmt.Errorf("grants in %s: %w", g.Database, err)
	}
	return nil
}

// DropUser ends a client's sessions and drops its role; what the role owns
// goes to operator. A role that is gone is a success.
func (s SQL) DropUser(ctx context.Context, database, user string) error {
	conn, err := s.connect(ctx, database)
	var absent *pgconn.PgError
	if errors.As(err, &absent) && absent.Code == "3D000" { // the database does not exist
		conn, err = s.connect(ctx, "postgres")
	}
	if err != nil {
		return err
	}
	defer closing(ctx, conn)
	exists, err := s.exists(ctx, conn, "SELECT 1 FROM pg_roles WHERE rolname = $1", user)
	if err != nil || !exists {
		return err
	}
	name := pgx.Identifier{user}.Sanitize()
	for _, statement := range []string{
		fmt.Sprintf("ALTER ROLE %s NOLOGIN", name),
		fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", literal(user)),
		fmt.Sprintf("REASSIGN OWNED BY %s TO operator", name),
		fmt.Sprintf("DROP OWNED BY %s", name),
		fmt.Sprintf("DROP ROLE %s", name),
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("drop role %s: %w", user, err)
		}
	}
	return nil
}

func (s SQL) exists(ctx context.Context, conn *pgx.Conn, query, arg string) (bool, error) {
	var one int
	err := conn.QueryRow(ctx, query, arg).Scan(&one)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

func (s SQL) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := s.config(database)
	if err != nil {
		return nil, err
	}
	return s.open(ctx, config)
}

// config is over TLS where the server has a certificate: passwords that are
// set are in the statements.
func (s SQL) config(database string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("sslmode=prefer host=" + s.Address)
	if err != nil {
		return nil, err
	}
	config.Port, config.User, config.Password, config.Database = sqlPort, "operator", s.Password, database
	for _, f := range config.Fallbacks {
		f.Port = sqlPort
	}
	config.ConnectTimeout = 5 * time.Second
	return config, nil
}

func (s SQL) open(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s as operator: %w", sdk.Join(s.Address, sqlPort), err)
	}
	return conn, nil
}

func closing(ctx context.Context, conn *pgx.Conn) {
	// Statements are committed one by one; an error here loses nothing.
	_ = conn.Close(ctx)
}

// literal quotes a string for SQL where no parameter is allowed.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// withoutStatement keeps the server's message and leaves out what could quote
// the statement, which holds a password.
func withoutStatement(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fmt.Errorf("%s (SQLSTATE %s)", pg.Message, pg.Code)
	}
	return err
}
