package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// drillLimit is how long a scratch controller may take to lead.
const drillLimit = time.Minute

// Drill tries an archive: it restores the state into a scratch directory below
// dir, opens it there as the log of a single member, which listens nowhere, and
// compares the state that this comes to with the archive's. Keys are compared
// too where the opener opens them. What is found wrong is the answer's Fault;
// the error is of the drill itself.
func Drill(ctx context.Context, file, dir string, opener archive.Opener, log *slog.Logger) (archive.Written, model.Drill, error) {
	began := time.Now()
	scratch, err := os.MkdirTemp(dir, ".drill-*")
	if err != nil {
		return archive.Written{}, model.Drill{}, fmt.Errorf("drill: %w", err)
	}
	defer os.RemoveAll(scratch)
	d := drill{dir: filepath.Join(scratch, "raft"), opener: opener, log: log}
	w, err := archive.Walk(file, func(m archive.Manifest, p archive.Part, from io.Reader) error { return d.part(ctx, m, p, from) })
	if ctx.Err() != nil {
		return w, model.Drill{}, fmt.Errorf("drill: %w", ctx.Err())
	}
	out := model.Drill{Time: began.UTC(), Took: time.Since(began)}
	if !w.Manifest.Time.IsZero() {
		out.Age = began.Sub(w.Manifest.Time)
	}
	if err != nil {
		out.Fault = err.Error()
	} else {
		out.Backup = archive.ID(w.SHA256)
	}
	return w, out, nil
}

type drill struct {
	dir    string
	opener archive.Opener
	log    *slog.Logger
	ca     []byte
}

func (d *drill) part(ctx context.Context, m archive.Manifest, p archive.Part, from io.Reader) (err error) {
	switch p.Name {
	case archive.State:
		s, err := decodeState(m, from)
		if err != nil {
			return err
		}
		if err := found(d.dir, "drill", s); err != nil {
			return err
		}
		return d.compare(ctx, m)
	case archive.CA:
		d.ca, err = io.ReadAll(io.LimitReader(from, maxCA))
		return err
	case archive.Keys, archive.SealedKeys:
		if m.Sealed && !d.opener.Opens() {
			return nil // who holds the passphrase tries that
		}
		files, err := d.opener.Unpack(from, m.Sealed)
		if err != nil {
			return err
		}
		return belongs(m, d.ca, files)
	default:
		return nil
	}
}

// compare opens the founded log and encodes what it comes to.
func (d *drill) compare(ctx context.Context, m archive.Manifest) error {
	ctx, cancel := context.WithTimeout(ctx, drillLimit)
	defer cancel()
	n, err := consensus.Open(consensus.Config{
		ID: "drill", Address: "drill", Dir: d.dir, Log: d.log, Listener: newNowhere(),
		Dial: nobody,
	})
	if err != nil {
		return fmt.Errorf("open the restored log: %w", err)
	}
	running, stop := context.WithCancel(ctx)
	var g errgroup.Group
	g.Go(func() error {
		return n.Run(running, func(ctx context.Context) error { <-ctx.Done(); return nil })
	})
	got, err := encodedBy(ctx, n)
	stop()
	if err := errors.Join(err, g.Wait()); err != nil {
		return fmt.Errorf("run the restored log: %w", err)
	}
	if got != m.Part(archive.State).SHA256 {
		return fmt.Errorf("the restored controller comes to a state of SHA-256 %s, and the archive is of %s: use another backup: %w", got, m.Part(archive.State).SHA256, model.ErrInvalid)
	}
	return nil
}

func encodedBy(ctx context.Context, n *consensus.Node) (string, error) {
	if err := n.Led(ctx); err != nil {
		return "", err
	}
	s, err := n.Read(ctx)
	if err != nil {
		return "", err
	}
	return sumOf(s)
}

// sumOf is the SHA-256 of an encoded state, in hex.
func sumOf(s state.State) (string, error) {
	sum := sha256.New()
	if err := s.Encode(sum); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func nobody(context.Context, string) (net.Conn, error) {
	return nil, fmt.Errorf("a drill has no other members: %w", model.ErrUnavailable)
}

// nowhere is a listener that nobody reaches.
type nowhere struct {
	closed chan struct{}
	once   sync.Once
}

func newNowhere() *nowhere { return &nowhere{closed: make(chan struct{})} }

// Accept implements net.Listener.
func (l *nowhere) Accept() (net.Conn, error) { <-l.closed; return nil, net.ErrClosed }

// Close implements net.Listener.
func (l *nowhere) Close() error { l.once.Do(func() { close(l.closed) }); return nil }

// Addr implements net.Listener.
func (l *nowhere) Addr() net.Addr { return &net.UnixAddr{Name: "nowhere", Net: "unix"} }
