package depot

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// Bounds of an archive: what is fetched, and what comes out of it.
const (
	maxArchive  = 4 << 30
	maxUnpacked = 16 << 30
)

// unpack fetches an archive, verifies it whole, and only then reads it.
func (s Depot) unpack(ctx context.Context, dir string, a software.Archive) error {
	packed := dir + ".tar"
	defer os.Remove(packed)
	if err := s.download(ctx, packed, a); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	f, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer f.Close()
	return untar(f, dir, a.Strip)
}

func (s Depot) download(ctx context.Context, into string, a software.Archive) error {
	from, err := s.source(ctx, a)
	if err != nil {
		return err
	}
	defer from.Close()
	f, err := os.OpenFile(into, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha512.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(from, maxArchive+1))
	switch found := hex.EncodeToString(h.Sum(nil)); {
	case err != nil:
		return fmt.Errorf("%s: %w: %w", a.URL, err, model.ErrUnavailable)
	case n > maxArchive:
		return fmt.Errorf("%s: it is larger than %d GiB: %w", a.URL, maxArchive>>30, model.ErrInvalid)
	case found != a.SHA512:
		return mismatch(a.URL, "sha512", a.SHA512, found)
	}
	return f.Close()
}

// source is where the archive's bytes come from.
func (s Depot) source(ctx context.Context, a software.Archive) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", a.URL, err, model.ErrInvalid)
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, model.ErrUnavailable)
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("%s: the server answered %s: %w", a.URL, answer.Status, model.ErrUnavailable)
	}
	return answer.Body, nil
}

// untar unpacks a tar file, gzipped or plain, below a directory. What would lie
// outside of it, or is no file, directory or link, is refused.
func untar(from io.Reader, dir string, strip int) error {
	in := bufio.NewReader(from)
	var plain io.Reader = in
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		zipped, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("unpack: %w: %w", err, model.ErrInvalid)
		}
		plain = zipped
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(maxUnpacked)
	for entries := tar.NewReader(plain); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpack: %w: %w", err, model.ErrInvalid)
		}
		if left -= h.Size; left < 0 {
			return fmt.Errorf("unpack: it holds more than %d GiB: %w", maxUnpacked>>30, model.ErrInvalid)
		}
		if err := place(root, h, entries, strip); err != nil {
			return fmt.Errorf("unpack %s: %w", h.Name, err)
		}
	}
}

// place makes one entry. The root keeps every name and link within itself.
func place(root *os.Root, h *tar.Header, content io.Reader, strip int) error {
	if !filepath.IsLocal(h.Name) {
		return fmt.Errorf("it leads out of the directory: %w", model.ErrInvalid)
	}
	parts := strings.Split(path.Clean(h.Name), "/")
	if len(parts) <= strip {
		return nil
	}
	name := filepath.FromSlash(path.Join(parts[strip:]...))
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		return write(root, name, fs.FileMode(h.Mode), content)
	case tar.TypeSymlink:
		if !filepath.IsLocal(filepath.Join(filepath.Dir(name), h.Linkname)) || filepath.IsAbs(h.Linkname) {
			return fmt.Errorf("its link leads out of the directory: %w", model.ErrInvalid)
		}
		return root.Symlink(h.Linkname, name)
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fmt.Errorf("type %c is no file, directory or link: %w", h.Typeflag, model.ErrInvalid)
	}
}

func write(root *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode.Perm()&0o755|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
