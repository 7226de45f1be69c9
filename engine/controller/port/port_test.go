package port_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/controller/port"
	"github.com/gantry-orchestrator/gantry/model"
)

// rig is a port that serves consensus by sending back what it reads.
type rig struct {
	t         *testing.T
	port      *port.Port
	authority *pki.Authority
	address   string
	refuse    atomic.Bool
}

func open(t *testing.T) *rig {
	t.Helper()
	authority, err := pki.OpenAuthority(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, authority: authority}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = l.Addr().String()
	own := r.pair(pki.Controller)
	r.port, err = port.New(port.Config{
		Listener: l, Server: authority.ServerTLS(own), Client: authority.MemberTLS(own), Log: slog.New(slog.DiscardHandler),
		Admit: func(peer tls.ConnectionState) error {
			if kind, _, err := pki.Bearer(peer.PeerCertificates[0]); err != nil || kind != pki.Controller || r.refuse.Load() {
				return errors.Join(err, model.ErrDenied)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	echo := r.port.Listener(port.Consensus)
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return r.port.Run(ctx) })
	g.Go(func() error {
		for {
			conn, err := echo.Accept()
			if err != nil {
				return nil
			}
			g.Go(func() error {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
				return nil
			})
		}
	})
	t.Cleanup(func() {
		r.refuse.Store(true)
		r.port.Review() // ends what is open
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) pair(kind pki.Kind) tls.Certificate {
	r.t.Helper()
	key, certificate, _, err := r.authority.Issue(kind, "one", time.Now(), time.Hour)
	if err != nil {
		r.t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		r.t.Fatal(err)
	}
	return pair
}

// echoes reports whether a connection carries what is said on it.
func echoes(conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

func (r *rig) dial(kind pki.Kind, protocols ...string) error {
	config := r.authority.MemberTLS(r.pair(kind))
	config.NextProtos = protocols
	conn, err := tls.Dial("tcp", r.address, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	return echoes(conn)
}

func TestAControllerSpeaksToAnotherAndNobodyElseDoes(t *testing.T) {
	r := open(t)
	for _, test := range []struct {
		rule      string
		kind      pki.Kind
		protocols []string
		heard     bool
	}{
		{"a controller is heard", pki.Controller, []string{"gantry-raft"}, true},
		{"an operator is cut off", pki.User, []string{"gantry-raft"}, false},
		{"an agent is cut off", pki.Agent, []string{"gantry-raft"}, false},
		{"what nobody serves is refused", pki.Controller, []string{"gantry-history"}, false},
		{"who names no protocol is cut off", pki.Controller, nil, false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if err := r.dial(test.kind, test.protocols...); (err == nil) != test.heard {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAControllerThatWasRemovedIsCutOff(t *testing.T) {
	r := open(t)
	conn, err := r.port.Dialer(port.Consensus)(t.Context(), r.address)
	if err != nil {
		t.Fatal(err)
	}
	if err := echoes(conn); err != nil {
		t.Fatal(err)
	}
	r.refuse.Store(true)
	r.port.Review()
	if err := echoes(conn); err == nil {
		t.Error("it is still heard")
	}
	if _, err := r.port.Dialer(port.Consensus)(t.Context(), r.address); err == nil {
		t.Error("it is let in again")
	}
}

func TestWhoDoesNotFinishTheHandshakeHoldsUpNobody(t *testing.T) {
	r := open(t)
	for range 20 {
		silent, err := net.Dial("tcp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
	}
	began := time.Now()
	if err := r.dial(pki.Controller, "gantry-raft"); err != nil || time.Since(began) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func TestAPortWithoutMutualTLSIsNone(t *testing.T) {
	for _, c := range []*tls.Config{nil, {}, {MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert}} {
		if _, err := port.New(port.Config{Server: c, Client: &tls.Config{}}); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
