package artifact

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/model"
)

const metadata = "name: local\nsummary: s\ndescription: d\n"

type file struct {
	name string
	mode fs.FileMode
	text string
}

func archive(t *testing.T, files ...file) io.Reader {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		h.SetMode(f.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestAnArchiveIsKeptUnderItsHash(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, []api.Artifact{{Hash: "built-in"}})
	if err != nil {
		t.Fatal(err)
	}
	put, err := s.Put(archive(t, file{"metadata.yaml", 0o644, metadata}, file{"bin/charm", 0o755, "program"}))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	found, err := again.Find("local")
	if err != nil || found.Hash != put.Hash || found.Declared.Meta.Summary != "s" {
		t.Errorf("found %+v, %v", found, err)
	}
	f, err := again.Open(put.Hash)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := again.Find("locla"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("a misspelt name: %v", err)
	}
	if _, err := again.Open("../../etc/passwd"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("a hash that is a path: %v", err)
	}
}

func TestDangerousArchivesAreRefusedAndLeaveNothing(t *testing.T) {
	good := file{"metadata.yaml", 0o644, metadata}
	for rule, files := range map[string][]file{
		"a file above the charm":          {good, {"../evil", 0o644, "x"}},
		"a file deep above the charm":     {good, {"a/../../evil", 0o644, "x"}},
		"an absolute path":                {good, {"/etc/passwd", 0o644, "x"}},
		"a path of another system":        {good, {`..\evil`, 0o644, "x"}},
		"a symbolic link":                 {good, {"link", 0o777 | fs.ModeSymlink, "/etc"}},
		"a device":                        {good, {"null", 0o666 | fs.ModeDevice, ""}},
		"a socket":                        {good, {"sock", 0o666 | fs.ModeSocket, ""}},
		"a file that is there twice":      {good, {"a", 0o644, "1"}, {"a", 0o644, "2"}},
		"no metadata":                     {{"readme", 0o644, "x"}},
		"metadata that is larger than 1M": {{"metadata.yaml", 0o644, metadata + string(bytes.Repeat([]byte("#"), maxText+1))}},
	} {
		t.Run(rule, func(t *testing.T) {
			dir := t.TempDir()
			s, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Put(archive(t, files...)); !errors.Is(err, model.ErrInvalid) {
				t.Errorf("got %v, want invalid", err)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left %v, %v", left, err)
			}
		})
	}
}

func TestABombIsRefusedByWhatItUnpacksTo(t *testing.T) {
	big := &zip.File{FileHeader: zip.FileHeader{Name: "a", UncompressedSize64: maxUnpacked}}
	more := &zip.File{FileHeader: zip.FileHeader{Name: "b", UncompressedSize64: 1}}
	if err := check([]*zip.File{big}); err != nil {
		t.Errorf("at the bound: %v", err)
	}
	if err := check([]*zip.File{big, more}); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("over the bound: %v", err)
	}
}
