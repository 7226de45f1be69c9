package pki

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"golang.org/x/sync/errgroup"
)

// resumed connects, reads a byte, which takes up a ticket, and says whether
// the session went on from one.
func resumed(t *testing.T, server, client *tls.Config) bool {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var g errgroup.Group
	g.Go(func() error {
		plain, err := listener.Accept()
		if err != nil {
			return err
		}
		defer plain.Close()
		_, err = tls.Server(plain, server).Write([]byte{1})
		return err
	})
	conn, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return conn.ConnectionState().DidResume
}

func TestASessionGoesOnAtAnotherControllerOfTheSameAuthorityAlone(t *testing.T) {
	dir := t.TempDir()
	first := opened(t, dir)
	client := &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: first.Pool(), ServerName: ServerName,
		Certificates: []tls.Certificate{pair(t, first, Agent)}, ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	if resumed(t, first.ServerTLS(pair(t, first, Controller)), client) {
		t.Error("the first session was resumed")
	}
	again := opened(t, dir) // another controller, or the same one started anew
	if !resumed(t, again.ServerTLS(pair(t, again, Controller)), client) {
		t.Error("a session with one controller is not resumed at another")
	}
	stranger := again.ServerTLS(pair(t, again, Controller))
	stranger.SetSessionTicketKeys(opened(t, t.TempDir()).tickets)
	if resumed(t, stranger, client) {
		t.Error("a ticket was taken by who has another authority's keys")
	}
}
