package archive

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	firstBackOff = 25 * time.Millisecond
	lastBackOff  = time.Second
)

// backOff returns how long to wait after the nth failure in a row.
func backOff(failures int) time.Duration {
	wait := firstBackOff
	for ; failures > 1 && wait < lastBackOff; failures-- {
		wait *= 2
	}
	return min(wait, lastBackOff)
}

// session is one worker's connection, made again whenever it is lost or the
// target has changed. It is used by one goroutine.
type session struct {
	aim      *aim
	timeout  time.Duration
	log      *slog.Logger
	observer Observer

	conn     *pgx.Conn
	target   Target
	failures int
}

// ready returns a connection to the present target. It blocks until there is
// one; its error is that of ctx.
func (s *session) ready(ctx context.Context) (*pgx.Conn, error) {
	for {
		target, changed := s.aim.current()
		if s.conn != nil && s.target.Equal(target) {
			return s.conn, nil
		}
		s.close()
		if s.failures > 0 {
			wait := time.NewTimer(backOff(s.failures))
			select {
			case <-ctx.Done():
				wait.Stop()
				return nil, ctx.Err()
			case <-changed:
				wait.Stop()
				continue
			case <-wait.C:
			}
		}
		conn, err := connect(ctx, target, s.timeout)
		if ctx.Err() != nil {
			if conn != nil {
				hangUp(conn)
			}
			return nil, ctx.Err()
		}
		if err != nil {
			s.fail("connect to the archive", err)
			continue
		}
		s.conn, s.target = conn, target
		s.observer.Connected(+1)
	}
}

// succeeded ends a row of failures.
func (s *session) succeeded() {
	if s.failures > 0 {
		s.log.Info("archive takes packets again", "failures", s.failures)
		s.failures = 0
	}
}

// fail drops the connection. The first failure in a row is logged.
func (s *session) fail(operation string, err error) {
	if s.failures == 0 {
		s.log.Warn("archive failed", "operation", operation, "err", err)
	}
	s.failures++
	s.close()
}

func (s *session) close() {
	if s.conn != nil {
		hangUp(s.conn)
		s.conn = nil
		s.observer.Connected(-1)
	}
}

// connect makes a connection to target, in which the tables exist. Every
// endpoint is given the timeout, so that a dead one does not hide the next.
func connect(ctx context.Context, target Target, timeout time.Duration) (*pgx.Conn, error) {
	config, err := target.connConfig(timeout)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout*time.Duration(len(target.Endpoints)))
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := ensureTables(ctx, conn); err != nil {
		hangUp(conn)
		return nil, fmt.Errorf("create the tables of telemetry: %w", err)
	}
	return conn, nil
}

// hangUp closes conn, without waiting long for a server that does not answer.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // the connection is given up either way
}
