package depot_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// entry is one of a tar file: a link where it leads somewhere.
type entry struct {
	name, content, leads string
	mode                 int64
}

// tarball is a gzipped tar file.
func tarball(t *testing.T, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.content)), Typeflag: tar.TypeReg}
		if e.leads != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.leads
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sha512Of(text string) string {
	sum := sha512.Sum512([]byte(text))
	return hex.EncodeToString(sum[:])
}

// serve serves one archive over https on loopback.
func serve(t *testing.T, packed string) (depot.Depot, effect.Software) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/app.tgz" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(packed))
	}))
	t.Cleanup(server.Close)
	return depot.Depot{Root: filepath.Join(t.TempDir(), "software"), Client: server.Client()}, effect.Software{
		Name: "app", Version: "1", Archive: &software.Archive{URL: server.URL + "/app.tgz", SHA512: sha512Of(packed), Strip: 1},
	}
}

func TestAnArchiveIsUnpackedWithoutItsFirstDirectory(t *testing.T) {
	s, w := serve(t, tarball(t, entry{name: "app-1/libs/a.jar", content: "jar", mode: 0o644}, entry{name: "app-1/current", leads: "libs/a.jar"}, entry{name: "app-1/bin/run", content: "#!/bin/sh\n", mode: 0o755}))
	if err := s.Put(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(s.Root, w.Directory(), "bin/run")); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("%v %v", info, err)
	}
	b, err := os.ReadFile(filepath.Join(s.Root, w.Directory(), "current"))
	if err != nil || string(b) != "jar" {
		t.Errorf("%q %v", b, err)
	}
}

func TestAnArchiveThatCannotBeTrustedLeavesNothingInPlace(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	good := tarball(t, entry{name: "app/a", content: "a"})
	for name, tt := range map[string]struct {
		packed string
		change func(*software.Archive)
		want   string
		class  error
	}{
		"another content than the hash is of": {good, func(a *software.Archive) { a.SHA512 = sha512Of("x") }, "found " + sha512Of(good), model.ErrConflict},
		"a server without it":                 {good, func(a *software.Archive) { a.URL += "x" }, "404", model.ErrUnavailable},
		"a file outside":                      {tarball(t, entry{name: "app/../../x", content: "a"}), nil, "leads out of the directory", model.ErrInvalid},
		"a link to the outside":               {tarball(t, entry{name: "app/x", leads: outside}), nil, "leads out of the directory", model.ErrInvalid},
		"a link up":                           {tarball(t, entry{name: "app/x", leads: "../x"}), nil, "leads out of the directory", model.ErrInvalid},
		"what is no tar file":                 {"plain text", nil, "unpack", model.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := serve(t, tt.packed)
			if tt.change != nil {
				tt.change(w.Archive)
			}
			err := s.Put(t.Context(), w)
			if !errors.Is(err, tt.class) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v", err)
			}
			if s.Has(w.Directory()) {
				t.Error("it is in place")
			}
		})
	}
}
