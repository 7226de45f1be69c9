// Package pgtest runs a real PostgreSQL server for a test: a database cluster
// of its own in a temporary directory, on a free port of the loopback address.
package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The server's superuser. Its password is asked for over TCP.
const (
	User     = "postgres"
	Password = `it's a \ "test"`
	Database = "postgres"
)

// patience bounds every wait for the server.
const patience = 15 * time.Second

// Server is a PostgreSQL server that its test may kill and start again.
type Server struct {
	Endpoint string // host:port

	bin         string
	directory   string
	credential  *syscall.Credential // nil: run as the test does
	process     *exec.Cmd
	diagnostics bytes.Buffer
}

// New makes a cluster and starts its server; both are gone when the test ends.
// The test is skipped where PostgreSQL is not installed.
func New(t testing.TB) *Server {
	t.Helper()
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(installed) == 0 {
		t.Skip("PostgreSQL is not installed")
	}
	s := &Server{bin: installed[len(installed)-1], Endpoint: freeEndpoint(t)}
	if os.Getuid() == 0 {
		s.credential = credentialOf(t, "postgres")
	}
	directory, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		t.Fatal(err)
	}
	s.directory = directory
	t.Cleanup(func() {
		if s.process != nil {
			s.Kill(t)
		}
		if err := os.RemoveAll(s.directory); err != nil {
			t.Error(err)
		}
	})
	password := filepath.Join(directory, "password")
	if err := os.WriteFile(password, []byte(Password), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.credential != nil {
		for _, path := range []string{directory, password} {
			if err := os.Chown(path, int(s.credential.Uid), int(s.credential.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	initdb := s.command("initdb", "-D", s.data(), "-U", User, "-A", "scram-sha-256", "--pwfile", password, "--no-sync", "--no-instructions", "--locale=C")
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Start(t)
	return s
}

// Start starts the server and returns when it takes connections.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		s.diagnostics.Reset()
		s.process = s.command("postgres", "-D", s.data(), "-c", "listen_addresses=127.0.0.1", "-c", "port="+port, "-c", "unix_socket_directories="+s.directory)
		s.process.Stdout, s.process.Stderr = &s.diagnostics, &s.diagnostics
		if err := s.process.Start(); err != nil {
			t.Fatal(err)
		}
		if s.awaitReady(deadline) {
			return
		}
		// The children of a killed server may outlive it for a moment, and
		// keep the next one from starting.
		if time.Now().After(deadline) {
			s.Kill(t)
			t.Fatalf("PostgreSQL does not start:\n%s", s.diagnostics.String())
		}
		_ = s.process.Wait()
	}
}

// Kill ends the postmaster with SIGKILL and returns when it is gone.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if err := s.process.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = s.process.Wait() // killed: there is always an error
	s.process = nil
}

// Exec runs one statement as the superuser.
func (s *Server) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN(Database))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, statement, args...); err != nil {
		t.Error(err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}

// DSN returns libpq's connection string for the superuser.
func (s *Server) DSN(database string) string {
	host, port, _ := net.SplitHostPort(s.Endpoint)
	return fmt.Sprintf(`host=%s port=%s user=%s password='it\'s a \\ "test"' dbname=%s`, host, port, User, database)
}

// awaitReady tells whether the server took a connection before it exited and
// before the deadline.
func (s *Server) awaitReady(deadline time.Time) bool {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.DSN(Database))
		if err == nil {
			_ = conn.Close(ctx)
			return true
		}
		if exited(s.process.Process.Pid) {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.directory, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(s.bin, name), args...)
	command.Dir = s.directory
	command.Env = []string{"PATH=" + s.bin, "LC_ALL=C", "TZ=UTC"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential, Setpgid: true}
	return command
}

// exited tells whether the child pid is a zombie.
func exited(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	after := bytes.LastIndexByte(stat, ')') + 2
	return after < len(stat) && stat[after] == 'Z'
}

func credentialOf(t testing.TB, name string) *syscall.Credential {
	t.Helper()
	account, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freeEndpoint(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // only its port was wanted
	return listener.Addr().String()
}
