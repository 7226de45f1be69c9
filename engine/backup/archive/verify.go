package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gantry-orchestrator/gantry/model"
)

// maxManifest bounds the manifest, which is held in memory.
const maxManifest = 16 << 20

// Verify reads an archive to its end. The first byte that is not as it was
// written is an error that names the part.
func Verify(path string) (Written, error) {
	return Walk(path, func(Manifest, Part, io.Reader) error { return nil })
}

// Walk verifies an archive and hands each part but the manifest and the
// checksums to content. What content took is only to be believed once Walk has
// returned without an error.
func Walk(path string, content func(Manifest, Part, io.Reader) error) (out Written, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return out, fmt.Errorf("archive %s: %w", path, model.ErrNotFound)
	}
	if err != nil {
		return out, fmt.Errorf("open the archive: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return out, fmt.Errorf("open the archive: %w", err)
	}
	if out.Size = info.Size(); out.Size < sumBytes+block {
		return out, Damaged(sumPart, "the file has %d bytes: it is cut short, or no archive", out.Size)
	}
	mine, all, err := readSums(f, out.Size)
	if err != nil {
		return out, err
	}
	r := &reader{from: bufio.NewReaderSize(io.NewSectionReader(f, 0, out.Size-sumBytes), 256<<10), all: sha256.New()}
	if out.Manifest, err = r.manifest(mine); err != nil {
		return out, err
	}
	for _, p := range out.Manifest.Parts {
		if err := r.part(p, func(from io.Reader) error { return content(out.Manifest, p, from) }); err != nil {
			return out, err
		}
	}
	if _, err := r.from.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return out, Damaged(sumPart, "there are bytes before it that no part explains")
	}
	if got := r.all.Sum(nil); !bytes.Equal(got, all) {
		return out, Damaged(sumPart, "the SHA-256 of all parts is %x, and was %x", got, all)
	}
	end, err := sums(mine, all)
	if err != nil {
		return out, err
	}
	r.all.Write(end)
	out.SHA256 = hex.EncodeToString(r.all.Sum(nil))
	return out, nil
}

// readSums reads the archive's end, of which every byte but the two sums is
// known.
func readSums(f io.ReaderAt, size int64) (manifest, all []byte, err error) {
	end := make([]byte, sumBytes)
	if _, err := f.ReadAt(end, size-sumBytes); err != nil {
		return nil, nil, cutShort(sumPart, err)
	}
	text := end[block : block+sumSize]
	manifest, all = make([]byte, sha256.Size), make([]byte, sha256.Size)
	_, first := hex.Decode(manifest, text[:sumText])
	_, second := hex.Decode(all, text[sumText+1:2*sumText+1])
	want, err := sums(manifest, all)
	if err != nil {
		return nil, nil, err
	}
	if first != nil || second != nil || !bytes.Equal(end, want) {
		return nil, nil, Damaged(sumPart, "the archive does not end as one does: it is cut short, longer than it was, or changed")
	}
	return manifest, all, nil
}

// manifest reads the first part, whose size its own header says.
func (r *reader) manifest(sum []byte) (m Manifest, err error) {
	head, err := r.take(manifestPart, block)
	if err != nil {
		return m, err
	}
	parsed, err := tar.NewReader(bytes.NewReader(head)).Next()
	if err != nil || parsed.Name != manifestPart || parsed.Size > maxManifest {
		return m, Damaged(manifestPart, "its header is not that of a manifest")
	}
	p := Part{Name: manifestPart, Size: parsed.Size, SHA256: hex.EncodeToString(sum)}
	if want, err := header(p.Name, p.Size); err != nil || !bytes.Equal(head, want) {
		return m, Damaged(manifestPart, "its header is not that of a part of %d bytes", p.Size)
	}
	var text []byte
	if err := r.rest(p, func(from io.Reader) error { text, err = io.ReadAll(from); return err }); err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, Damaged(manifestPart, "%v", err)
	}
	return m, m.check()
}
