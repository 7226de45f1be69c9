package perform_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// vault opens secrets from a map of fields.
type vault map[string]string

func (v vault) Open(_ context.Context, ref effect.SecretRef) ([]byte, error) {
	s, ok := v[ref.Field]
	if !ok {
		return nil, model.ErrNotFound
	}
	return []byte(s), nil
}

func TestSecretsAreWrittenAsTheirPlaceNeeds(t *testing.T) {
	tests := []struct {
		encoding     effect.Encoding
		secret, want string
	}{
		{effect.Raw, "a'b", "a'b"},
		{effect.Base64, "a?b", "YT9i"},
		{effect.URL, "a b/c?d+e", "a%20b%2Fc%3Fd%2Be"},
		{effect.Quoted, "a\"b\n", `"a\"b\n"`},
		{effect.SQL, "it's", "'it''s'"},
		{effect.SQL, `a\'b`, ` E'a\\''b'`},
	}
	for _, tt := range tests {
		content := effect.Content{{Text: "<"}, {Secret: &effect.SecretRef{Field: "f", Encoding: tt.encoding}}, {Text: ">"}}
		got, err := perform.Render(t.Context(), vault{"f": tt.secret}, content)
		if err != nil || string(got) != "<"+tt.want+">" {
			t.Errorf("%q as %q: %q, %v, want %q", tt.secret, tt.encoding, got, err, tt.want)
		}
	}
	for _, encoding := range []effect.Encoding{effect.SQL, "rot13"} {
		content := effect.Content{{Secret: &effect.SecretRef{Field: "f", Encoding: encoding}}}
		if _, err := perform.Render(t.Context(), vault{"f": "a\x00"}, content); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("a zero byte as %q: %v, want invalid", encoding, err)
		}
	}
}

func file(path, text string) effect.File {
	return effect.File{ID: "file/f", Path: path, Mode: 0o640, Content: effect.Content{{Text: text}}}
}

func TestAFileIsPutBackAsItWas(t *testing.T) {
	before := map[string]func(path string) error{
		"nothing, nor the directories above": func(string) error { return nil },
		"a file of another mode": func(path string) error {
			return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("old"), 0o604))
		},
		"a link": func(path string) error {
			return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink("/nowhere", path))
		},
	}
	for name, prepare := range before {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			path := filepath.Join(root, "etc", "app", "conf")
			if err := prepare(path); err != nil {
				t.Fatal(err)
			}
			was, err := perform.FileDigest(path)
			if err != nil {
				t.Fatal(err)
			}
			former, err := perform.Look(path)
			if err != nil {
				t.Fatal(err)
			}
			written, err := perform.WriteFile(t.Context(), vault{}, file(path, "new"))
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != "new" {
				t.Errorf("file = %q, %v", b, err)
			}
			if now, err := perform.FileDigest(path); err != nil || now != written || now == was {
				t.Errorf("digest %s after writing %s (%v)", now, written, err)
			}
			if left, err := perform.RestoreFile(path, former); err != nil || len(left) != 0 {
				t.Errorf("left %q, %v", left, err)
			}
			if now, err := perform.FileDigest(path); err != nil || now != was {
				t.Errorf("digest %q, was %q (%v)", now, was, err)
			}
			if was == "" {
				if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
					t.Errorf("left in the root: %v, %v", entries, err)
				}
			}
		})
	}
}

func TestDriftOfModeOrContentShowsInTheDigest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	written, err := perform.WriteFile(t.Context(), vault{}, file(path, "x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, drift := range []func() error{
		func() error { return os.Chmod(path, 0o644) },
		func() error { return os.WriteFile(path, []byte("y"), 0o640) },
		func() error { return os.Remove(path) },
	} {
		if err := drift(); err != nil {
			t.Fatal(err)
		}
		if now, err := perform.FileDigest(path); err != nil || now == written {
			t.Errorf("digest is as written (%v)", err)
		}
		if again, err := perform.WriteFile(t.Context(), vault{}, file(path, "x")); err != nil || again != written {
			t.Errorf("writing it again gives %s, not %s (%v)", again, written, err)
		}
	}
}

func TestAFileNeverReplacesADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := perform.WriteFile(t.Context(), vault{}, file(path, "x")); !errors.Is(err, model.ErrConflict) {
		t.Errorf("error = %v, want a conflict", err)
	}
	if _, err := os.ReadDir(path); err != nil {
		t.Error(err)
	}
}

func TestAFileWhoseSecretCannotBeReadStaysAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if _, err := perform.WriteFile(t.Context(), vault{}, file(path, "x")); err != nil {
		t.Fatal(err)
	}
	f := file(path, "y")
	f.Content = append(f.Content, effect.Segment{Secret: &effect.SecretRef{Field: "none"}})
	if _, err := perform.WriteFile(t.Context(), vault{}, f); err == nil {
		t.Error("a secret that is missing is no error")
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if b, readErr := os.ReadFile(path); string(b) != "x" || len(entries) != 1 || errors.Join(err, readErr) != nil {
		t.Errorf("file %q among %v", b, entries)
	}
}

func volume(path, incarnation string) effect.Volume {
	return effect.Volume{ID: "volume/v", Path: path, Mode: 0o700, Incarnation: incarnation}
}

func TestAVolumeIsEmptyToToolsAndYetStamped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	if state, err := perform.VolumeState(path); err != nil || state != effect.VolumeEmpty {
		t.Fatalf("state %q, %v", state, err)
	}
	if err := perform.MakeVolume(volume(path, "1"), nil); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 0 {
		t.Errorf("initdb would refuse a directory with %v (%v)", entries, err)
	}
	if state, err := perform.VolumeState(path); err != nil || state != effect.VolumeStamped+"1" {
		t.Errorf("state %q, %v", state, err)
	}
}

func TestForeignDataIsNeverTouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	if err := errors.Join(os.Mkdir(path, 0o755), os.WriteFile(filepath.Join(path, "row"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if state, err := perform.VolumeState(path); err != nil || state != effect.VolumeForeign {
		t.Fatalf("state %q, %v", state, err)
	}
	any := []effect.Warrant{{Volume: "volume/v", Incarnation: "*"}}
	if err := perform.MakeVolume(volume(path, "1"), any); !errors.Is(err, model.ErrConflict) {
		t.Errorf("error = %v, want a conflict", err)
	}
	if left, err := perform.DestroyVolume(volume(path, "1"), any); err != nil || !slices.Equal(left, []string{path}) {
		t.Errorf("left %q, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(path, "row")); err != nil {
		t.Error(err)
	}
}

func TestAnotherIncarnationReplacesDataOnlyUnderAWarrantAndSetsItAside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	if err := perform.MakeVolume(volume(path, "1"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "row"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := perform.MakeVolume(volume(path, "2"), []effect.Warrant{{Volume: "volume/v", Incarnation: "7"}}); !errors.Is(err, model.ErrConflict) {
		t.Errorf("under a warrant for another: %v, want a conflict", err)
	}
	if err := perform.MakeVolume(volume(path, "2"), []effect.Warrant{{Volume: "volume/v", Incarnation: "1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "data.gantry-1", "row")); err != nil {
		t.Errorf("the old data is not kept aside: %v", err)
	}
	if state, err := perform.VolumeState(path); err != nil || state != effect.VolumeStamped+"2" {
		t.Errorf("state %q, %v", state, err)
	}
}

func TestAReleasedVolumeKeepsDataAndItsStamp(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "data")
	if err := perform.MakeVolume(volume(path, "1"), nil); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "row"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if left, err := perform.ReleaseVolume(volume(path, "1")); err != nil || !slices.Equal(left, []string{path}) {
		t.Errorf("left %q, %v", left, err)
	}
	if state, err := perform.VolumeState(path); err != nil || !strings.HasPrefix(state, effect.VolumeStamped) {
		t.Errorf("state %q, %v", state, err)
	}
	if left, err := perform.DestroyVolume(volume(path, "1"), []effect.Warrant{{Volume: "volume/v", Incarnation: "1"}}); err != nil || len(left) != 0 {
		t.Errorf("left %q, %v", left, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left in the directory: %v, %v", entries, err)
	}
}
