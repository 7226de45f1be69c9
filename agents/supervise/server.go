package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/model"
)

// accept serves connections until ctx ends.
func (s *supervisor) accept(ctx context.Context, ln net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ECONNABORTED) {
			s.Logger.Error("connection refused", "error", err)
			select {
			case <-time.After(100 * time.Millisecond): // until files are free again
			case <-ctx.Done():
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("supervise: accept: %w", err)
		}
		s.group.Go(func() error { s.converse(ctx, conn.(*net.UnixConn)); return nil })
	}
}

const (
	requestTimeout = 10 * time.Second
	requestMax     = 4 << 20
	// lastWord is how long a client may take to read its answer once the
	// supervisor ends.
	lastWord = time.Second
)

// converse answers the one request of a connection.
func (s *supervisor) converse(ctx context.Context, conn *net.UnixConn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() {
		_ = conn.SetReadDeadline(time.Now())
		_ = conn.SetWriteDeadline(time.Now().Add(lastWord))
	})()
	out := json.NewEncoder(conn)
	var req request
	_ = conn.SetReadDeadline(time.Now().Add(requestTimeout))
	// The request is read first: closing a socket with unread data would lose
	// the refusal.
	if err := json.NewDecoder(io.LimitReader(conn, requestMax)).Decode(&req); err != nil {
		_ = out.Encode(response{Error: toFailure(fmt.Errorf("read request: %w: %w", err, model.ErrInvalid))})
		return
	}
	if err := checkPeer(conn, os.Geteuid()); err != nil {
		s.Logger.Warn("connection refused", "error", err)
		_ = out.Encode(response{Error: toFailure(err)})
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.group.Go(func() error { // a client that goes away ends its wait
		_, _ = io.Copy(io.Discard, conn)
		cancel()
		return nil
	})
	send := func(e Event) error { return out.Encode(response{Event: &e}) }
	resp, err := s.answer(ctx, req, send)
	resp.Error = toFailure(err)
	_ = out.Encode(resp)
}

func (s *supervisor) answer(ctx context.Context, req request, send func(Event) error) (resp response, err error) {
	var p Process
	switch req.Method {
	case methodStart, methodRestart:
		if req.Spec == nil {
			return resp, fmt.Errorf("%s: no spec in the request: %w", req.Method, model.ErrInvalid)
		}
		p, err = s.start(ctx, *req.Spec, req.Method == methodRestart)
	case methodStop:
		p, err = s.stop(ctx, req.ID)
	case methodReload:
		p, err = s.reload(ctx, req.ID)
	case methodRenew:
		p, err = s.renew(ctx, req.ID, req.Lease)
	case methodRemove:
		return resp, s.remove(ctx, req.ID)
	case methodList:
		resp.List, err = s.list(ctx)
		return resp, err
	case methodWatch:
		return resp, s.watch(ctx, send)
	case methodUpgrade:
		return resp, s.replace(ctx)
	default:
		return resp, fmt.Errorf("request %q is not known to this supervisor; upgrade it: %w", req.Method, model.ErrInvalid)
	}
	resp.Process = &p
	return resp, err
}

// checkPeer lets the supervisor's own user and root in.
func checkPeer(conn *net.UnixConn, self int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return fmt.Errorf("who connects: %w", credErr)
	}
	if uid := int(cred.Uid); uid != self && uid != 0 {
		return fmt.Errorf("user %d (process %d) may not use the supervisor of user %d: %w", uid, cred.Pid, self, model.ErrDenied)
	}
	return nil
}
