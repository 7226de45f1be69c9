package pki

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/model"
)

func opened(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := OpenAuthority(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func pair(t *testing.T, a *Authority, kind Kind) tls.Certificate {
	t.Helper()
	key, certificate, _, err := a.Issue(kind, "x", time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheAuthorityIsMadeOnceAndItsKeyIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	first, again := opened(t, dir), opened(t, dir)
	if !bytes.Equal(first.PEM(), again.PEM()) {
		t.Error("the second start made another authority")
	}
	info, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v, %v", info.Mode(), err)
	}
}

// handshake says what two sides think of each other.
func handshake(server, client *tls.Config) (error, error) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	var g errgroup.Group
	var served error
	g.Go(func() error {
		s := tls.Server(a, server)
		if served = s.Handshake(); served == nil {
			_, served = s.Write([]byte{1})
		}
		return a.Close()
	})
	c := tls.Client(b, client)
	err := c.Handshake()
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	_ = b.Close()
	_ = g.Wait()
	return served, err
}

func TestMembersTalkToControllersOnly(t *testing.T) {
	a, other := opened(t, t.TempDir()), opened(t, t.TempDir())
	member := a.MemberTLS(pair(t, a, Controller))
	if served, err := handshake(member, a.MemberTLS(pair(t, a, Controller))); served != nil || err != nil {
		t.Errorf("two controllers: %v, %v", served, err)
	}
	for _, kind := range []Kind{User, Agent, Host, Joiner} {
		if served, _ := handshake(member, a.MemberTLS(pair(t, a, kind))); served == nil {
			t.Errorf("a %s is let in as a member", kind)
		}
	}
	rogue := other.MemberTLS(pair(t, other, Controller))
	rogue.RootCAs = a.Pool()
	if served, _ := handshake(member, rogue); served == nil {
		t.Error("a controller of another authority is let in")
	}
	if _, err := handshake(a.ServerTLS(pair(t, a, Agent)), member); err == nil {
		t.Error("an agent passes for a server")
	}
}

func TestARequestSaysNothingButItsKey(t *testing.T) {
	a := opened(t, t.TempDir())
	for rule, csr := range map[string][]byte{"nonsense": []byte("nonsense"), "too large": bytes.Repeat([]byte("x"), maxRequest+1)} {
		if _, _, _, err := a.Certify(csr, User, "x", time.Now(), 0); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestASealedSecretOpensUnderItsKeyAndNameOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	s, err := OpenSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed := s.Seal([]byte("hunter2"), "secret:1")
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Error("the secret is readable")
	}
	again, err := OpenSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed, "secret:1"); err != nil || string(plain) != "hunter2" {
		t.Errorf("opened %q, %v", plain, err)
	}
	if _, err := again.Open(sealed, "secret:2"); err == nil {
		t.Error("it opens under another name")
	}
	stranger, err := OpenSealer(path + "2")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Open(sealed, "secret:1"); err == nil {
		t.Error("it opens under another key")
	}
	sealed[len(sealed)-1]++
	if _, err := again.Open(sealed, "secret:1"); err == nil {
		t.Error("it opens though it was altered")
	}
}
