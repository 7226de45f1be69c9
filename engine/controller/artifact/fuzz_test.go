package artifact

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
)

// made is an archive of one file beside good metadata.
func made(name string, mode uint32, text []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range []file{{"metadata.yaml", 0o644, metadata}, {name, fs.FileMode(mode), string(text)}} {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		h.SetMode(f.mode)
		if w, err := z.CreateHeader(h); err == nil {
			_, _ = io.WriteString(w, f.text)
		}
	}
	_ = z.Close()
	return b.Bytes()
}

// FuzzArchive uploads whatever there is: what is refused leaves nothing, and of
// what is kept each file is a plain one inside its directory.
func FuzzArchive(f *testing.F) {
	for _, name := range []string{"a", "../a", "/a", "a/../../b", `..\a`, "a/", "a//b", ".", "..", "a\x00b", "metadata.yaml/x", "C:/a"} {
		f.Add(made(name, 0o644, []byte("x")))
	}
	for _, mode := range []fs.FileMode{fs.ModeSymlink, fs.ModeDevice, fs.ModeNamedPipe, fs.ModeSocket, fs.ModeDir, fs.ModeSetuid, fs.ModeIrregular} {
		f.Add(made("a", uint32(mode|0o777), []byte("/etc/passwd")))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		s, err := Open(filepath.Join(dir, "charms"), nil)
		if err != nil {
			t.Fatal(err)
		}
		put, err := s.Put(bytes.NewReader(raw))
		entries, readErr := os.ReadDir(filepath.Join(dir, "charms"))
		if readErr != nil {
			t.Fatal(readErr)
		}
		if outside, _ := os.ReadDir(dir); len(outside) != 1 {
			t.Errorf("outside of the store there is %v", outside)
		}
		if err != nil {
			if !errors.Is(err, model.ErrInvalid) || len(entries) != 0 {
				t.Errorf("refused with %v, and left %v", err, entries)
			}
			return
		}
		if len(entries) != 1 || entries[0].Name() != put.Hash+".charm" {
			t.Errorf("kept as %v", entries)
		}
		z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range z.File {
			if !filepath.IsLocal(f.Name) || !f.Mode().IsRegular() && !f.Mode().IsDir() {
				t.Errorf("%q, a %v, was let in", f.Name, f.Mode())
			}
		}
	})
}

func TestAFileBelowAFileIsRefused(t *testing.T) {
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(bytes.NewReader(made("metadata.yaml/x", 0o644, nil))); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestAHeaderThatLiesAboutItsSizeUnpacksNoFurther(t *testing.T) {
	raw := made("big", 0o644, bytes.Repeat([]byte("0"), 1<<20))
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	z.File[1].UncompressedSize64 = 10
	r, err := z.File[1].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); err == nil || n > 1<<16 {
		t.Errorf("%d bytes came out, %v", n, err)
	}
}

func TestUploadsAreBoundedInAll(t *testing.T) {
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.room = 2 * int64(len(made("a", 0o644, []byte("0"))))
	for i := range 3 {
		_, err := s.Put(bytes.NewReader(made("a", 0o644, []byte{byte('0' + i)})))
		if want := i >= 2; errors.Is(err, model.ErrInvalid) != want {
			t.Errorf("upload %d: %v", i, err)
		}
	}
	if _, err := s.Put(bytes.NewReader(made("a", 0o644, []byte("0")))); err != nil {
		t.Errorf("one that is there already: %v", err)
	}
}
