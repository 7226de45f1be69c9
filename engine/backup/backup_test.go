package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// source is a controller's directory with an uploaded charm, and a state of so
// many models.
func source(t testing.TB, models int) Source {
	t.Helper()
	dir := t.TempDir()
	if _, err := pki.OpenAuthority(filepath.Join(dir, "pki"), time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.OpenSealer(filepath.Join(dir, archive.SecretsKey)); err != nil {
		t.Fatal(err)
	}
	charm := archive.Bytes("", bytes.Repeat([]byte("charm"), 1000))
	if err := os.Mkdir(filepath.Join(dir, "charms"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, archive.CharmFolder, charm.SHA256+archive.CharmSuffix))
	if err == nil {
		err = errors.Join(charm.Write(f), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	s := state.Empty()
	for i := range models {
		op := state.AddModel{Model: model.ModelName(fmt.Sprintf("m-%d", i)), UUID: fmt.Sprint(i), Provider: "fake"}
		if s, _, err = s.Apply(state.Command{Version: state.FormatVersion, Origin: state.Operator, Now: noon, Ops: []state.Op{op}}); err != nil {
			t.Fatal(err)
		}
	}
	return Source{Dir: dir, State: s, Controller: "c1", Version: "test", Now: noon}
}

func made(t testing.TB, s Source, seal archive.Seal) (string, archive.Written) {
	t.Helper()
	path, w, err := Make(context.Background(), filepath.Join(t.TempDir(), "backups"), s, seal)
	if err != nil {
		t.Fatal(err)
	}
	return path, w
}

func encoded(t testing.TB, s state.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// reopened is the state of a restored directory, as its log has it.
func reopened(t testing.TB, dir, id string) state.State {
	t.Helper()
	n, err := consensus.Open(consensus.Config{
		ID: id, Address: id, Dir: filepath.Join(dir, "raft"), Listener: newNowhere(), Dial: nobody,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- n.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
	if err := n.Led(ctx); err != nil {
		t.Fatal(err)
	}
	s := n.State()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	return s
}

func TestARestoreHasTheSameModelsKeysAndCharmsInTheNextEpoch(t *testing.T) {
	s := source(t, 5)
	path, w := made(t, s, archive.Seal{})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || info.Size() != w.Size {
		t.Errorf("the archive has %v, %v", info, err)
	}
	dir := filepath.Join(t.TempDir(), "controller")
	got, err := Restore(context.Background(), path, dir, archive.Opener{}, noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	after := reopened(t, dir, got.Controller)
	want := s.State.Restored(w.SHA256, got.Epoch.ID, noon.Add(time.Hour))
	if !bytes.Equal(encoded(t, after), encoded(t, want)) || after.Epoch() != got.Epoch {
		t.Error("the state is not that of the archive in its next epoch")
	}
	for _, m := range w.Manifest.Models {
		if after.ModelDigest(m.Name) != m.SHA256 {
			t.Errorf("model %s differs", m.Name)
		}
	}
	for _, name := range []string{"pki/ca.crt", "pki/ca.key", "pki/secrets.key", w.Manifest.Parts[3].Name} {
		was, _ := os.ReadFile(filepath.Join(s.Dir, name))
		is, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(was, is) {
			t.Errorf("%s differs, %v", name, err)
		}
	}
	if _, err := Restore(context.Background(), path, dir, archive.Opener{}, noon); !errors.Is(err, model.ErrConflict) {
		t.Errorf("restored over a controller: %v", err)
	}
}

func TestSealedKeysOpenToTheirHoldersAlone(t *testing.T) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for rule, test := range map[string]struct {
		passphrase, identity string
		recipients           []string
	}{
		"by a passphrase": {passphrase: "correct horse"},
		"by a public key": {recipients: []string{identity.Recipient().String()}, identity: identity.String()},
	} {
		t.Run(rule, func(t *testing.T) {
			s := source(t, 1)
			seal, err := archive.NewSeal(test.passphrase, test.recipients)
			if err != nil {
				t.Fatal(err)
			}
			path, _ := made(t, s, seal)
			b, _ := os.ReadFile(path)
			if bytes.Contains(b, []byte("PRIVATE KEY")) {
				t.Error("a key is in the archive unsealed")
			}
			dir := filepath.Join(t.TempDir(), "controller")
			wrong, _ := archive.NewOpener("wrong", "")
			for _, opener := range []archive.Opener{{}, wrong} {
				if _, err := Restore(context.Background(), path, dir, opener, noon); !errors.Is(err, model.ErrInvalid) {
					t.Errorf("restored without what opens it: %v", err)
				}
				if _, err := os.Stat(dir); err == nil {
					t.Error("a refused restore has left a directory")
				}
			}
			right, err := archive.NewOpener(test.passphrase, test.identity)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(context.Background(), path, dir, right, noon); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPropertyAnArchiveWithOneOtherBitIsRefusedByName(t *testing.T) {
	path, w := made(t, source(t, 3), archive.Seal{})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := archive.Verify(path); err != nil || got.SHA256 != w.SHA256 {
		t.Fatalf("the archive itself: %v", err)
	}
	flipped := filepath.Join(t.TempDir(), "flipped")
	refused := func(t interface{ Fatalf(string, ...any) }, b []byte, what string) {
		if err := os.WriteFile(flipped, b, 0o600); err != nil {
			t.Fatalf("%v", err)
		}
		_, err := archive.Verify(flipped)
		if !errors.Is(err, model.ErrInvalid) || !strings.Contains(err.Error(), "DAMAGED in part ") {
			t.Fatalf("%s: %v", what, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		at, bit := rapid.IntRange(0, len(whole)-1).Draw(t, "at"), rapid.IntRange(0, 7).Draw(t, "bit")
		b := bytes.Clone(whole)
		b[at] ^= 1 << bit
		refused(t, b, fmt.Sprintf("bit %d of byte %d", bit, at))
	})
	for at := range whole { // of the blocks that are no content, all
		if at%512 < 3 || at > len(whole)-2100 && at%5 == 0 {
			b := bytes.Clone(whole)
			b[at] ^= byte(1 + rand.IntN(255))
			refused(t, b, fmt.Sprintf("byte %d", at))
		}
	}
	for _, cut := range []int{0, 1, 511, 512, len(whole) / 2, len(whole) - 1} {
		refused(t, whole[:cut], fmt.Sprintf("the first %d bytes", cut))
	}
	refused(t, append(bytes.Clone(whole), 0), "a byte more")
}

func TestDamageIsNamedByItsPart(t *testing.T) {
	path, w := made(t, source(t, 3), archive.Seal{})
	whole, _ := os.ReadFile(path)
	ca, _ := os.ReadFile(path)
	for part, mark := range map[string]string{
		"state.cbor": "m-2", "ca.crt": "BEGIN CERTIFICATE", "keys.tar": "BEGIN PRIVATE KEY",
		"manifest.json": "\"gantry\"", w.Manifest.Parts[3].Name: "charmcharm",
	} {
		b := bytes.Clone(ca)
		at := bytes.Index(whole, []byte(mark))
		if part == "state.cbor" {
			at = bytes.LastIndex(whole, []byte(mark))
		}
		b[at+1] ^= 1
		flipped := filepath.Join(t.TempDir(), "flipped")
		if err := os.WriteFile(flipped, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, d, err := Drill(context.Background(), flipped, t.TempDir(), archive.Opener{}, slog.New(slog.DiscardHandler))
		if err != nil || !strings.Contains(d.Fault, "DAMAGED in part "+part) {
			t.Errorf("%s: the drill says %q, %v", part, d.Fault, err)
		}
		if _, err := Restore(context.Background(), flipped, filepath.Join(t.TempDir(), "c"), archive.Opener{}, noon); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: restored: %v", part, err)
		}
	}
}

func TestADrillComesToTheStateOfTheArchiveAndLeavesNothing(t *testing.T) {
	path, w := made(t, source(t, 20), archive.Seal{})
	dir := t.TempDir()
	got, d, err := Drill(context.Background(), path, dir, archive.Opener{}, slog.New(slog.DiscardHandler))
	if err != nil || d.Fault != "" {
		t.Fatalf("%+v, %v", d, err)
	}
	if got.SHA256 != w.SHA256 || d.Backup != archive.ID(w.SHA256) || d.Took <= 0 || d.Age <= 0 {
		t.Errorf("the drill is %+v", d)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("the drill has left %v", left)
	}
}

func TestABackupUnderWritesIsTheStateAtItsIndex(t *testing.T) {
	s := source(t, 10)
	path := filepath.Join(s.Dir, "archive")
	current := s.State
	for range 10 {
		s.State = current
		var b bytes.Buffer
		writes := 0
		_, err := Write(context.Background(), writerFunc(func(p []byte) (int, error) {
			if writes++; writes%20 == 0 { // committed while the archive is written
				op := state.AddModel{Model: model.ModelName(fmt.Sprintf("w-%d", current.Index())), UUID: fmt.Sprint(current.Index()), Provider: "fake"}
				current, _, _ = current.Apply(state.Command{Version: state.FormatVersion, Origin: state.Operator, Now: noon, Ops: []state.Op{op}})
			}
			return b.Write(p)
		}), s, archive.Seal{})
		if err != nil {
			t.Fatal(err)
		}
		if current.Index() == s.State.Index() {
			t.Fatal("nothing was committed meanwhile")
		}
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = archive.Walk(path, func(m archive.Manifest, p archive.Part, from io.Reader) error {
			if p.Name != archive.State {
				return nil
			}
			got, err := decodeState(m, from)
			if err == nil && sum(got) != sum(s.State) {
				err = errors.New("the state differs from that of its index")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func sum(s state.State) string { got, _ := sumOf(s); return got }

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestAManifestThatSpeaksOfAnotherStateIsRefused(t *testing.T) {
	s := source(t, 1)
	parts, m, err := s.parts(archive.Seal{})
	if err != nil {
		t.Fatal(err)
	}
	m.Index++
	path, err := archive.Save(filepath.Join(t.TempDir(), "a"), "", func(to io.Writer) error {
		_, err := archive.Write(to, m, parts)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(context.Background(), path, filepath.Join(t.TempDir(), "c"), archive.Opener{}, noon); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("a manifest of another index: %v", err)
	}
}

func TestPruneKeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	for i := range 5 {
		name := archive.FileName(noon.Add(time.Duration(i)*time.Hour), uint64(i))
		if _, err := archive.Save(dir, name, func(w io.Writer) error { _, err := w.Write(nil); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	removed, err := archive.Prune(dir, 2, noon)
	left, _ := os.ReadDir(dir)
	if err != nil || len(removed) != 3 || len(left) != 3 || !strings.Contains(left[0].Name(), "T150000Z-3") {
		t.Errorf("removed %v, left %v, %v", removed, left, err)
	}
}
