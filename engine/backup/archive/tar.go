package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// The archive is a ustar file of one canonical form: a part's header follows
// from its name and size, so that a reader knows every byte that is not
// content and refuses any other.
const (
	block    = 512
	sumText  = 2 * sha256.Size // of a checksum in hex
	sumSize  = 2*sumText + 2   // two lines: of the manifest, and of all before the part itself
	sumBytes = 2*block + 2*block
)

// header is the block that announces a part.
func header(name string, size int64) ([]byte, error) {
	var b bytes.Buffer
	err := tar.NewWriter(&b).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
	})
	if err != nil {
		return nil, fmt.Errorf("part %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// padding is how many zero bytes follow a part.
func padding(size int64) int64 { return (block - size%block) % block }

// sums is the archive's end: the part with the checksums and the tar's end.
func sums(manifest, all []byte) ([]byte, error) {
	b, err := header(sumPart, sumSize)
	if err != nil {
		return nil, err
	}
	b = fmt.Appendf(b, "%x\n%x\n", manifest, all)
	return append(b, make([]byte, sumBytes-len(b))...), nil
}

// writer writes parts, and hashes what it writes.
type writer struct {
	to    io.Writer
	whole hash.Hash // of the file
	size  int64
}

// Write implements io.Writer.
func (w *writer) Write(b []byte) (int, error) {
	n, err := w.to.Write(b)
	w.whole.Write(b[:n])
	w.size += int64(n)
	return n, err
}

// part writes one part; content writes exactly what the part says.
func (w *writer) part(p Part, content func(io.Writer) error) error {
	head, err := header(p.Name, p.Size)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("write part %s: %w", p.Name, err)
	}
	sum, before := sha256.New(), w.size
	if err := content(io.MultiWriter(w, sum)); err != nil {
		return fmt.Errorf("write part %s: %w", p.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); w.size-before != p.Size || got != p.SHA256 {
		return fmt.Errorf("write part %s: it changed while it was read: back up again", p.Name)
	}
	if _, err := w.Write(make([]byte, padding(p.Size))); err != nil {
		return fmt.Errorf("write part %s: %w", p.Name, err)
	}
	return nil
}

// reader reads parts in order and refuses every byte that is not as it must be.
type reader struct {
	from io.Reader
	all  hash.Hash
}

// take reads n bytes of a part.
func (r *reader) take(part string, n int64) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(r.from, b); err != nil {
		return nil, cutShort(part, err)
	}
	r.all.Write(b)
	return b, nil
}

// part reads one part, hands its bytes on, and then says whether they were
// those that were written.
func (r *reader) part(p Part, content func(io.Reader) error) error {
	want, err := header(p.Name, p.Size)
	if err != nil {
		return Damaged(manifestPart, "%v", err)
	}
	head, err := r.take(p.Name, block)
	if err != nil {
		return err
	}
	if !bytes.Equal(head, want) {
		return Damaged(p.Name, "its header is not that of a part of %d bytes", p.Size)
	}
	return r.rest(p, content)
}

// rest reads what follows a part's header.
func (r *reader) rest(p Part, content func(io.Reader) error) error {
	sum := sha256.New()
	bounded := io.TeeReader(io.LimitReader(r.from, p.Size), io.MultiWriter(sum, r.all))
	failed := content(bounded)
	if _, err := io.Copy(io.Discard, bounded); err != nil {
		return cutShort(p.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != p.SHA256 {
		return Damaged(p.Name, "its SHA-256 is %s, and was %s", got, p.SHA256)
	}
	if failed != nil {
		return failed
	}
	zeros, err := r.take(p.Name, padding(p.Size))
	if err != nil {
		return err
	}
	if !zeroed(zeros) {
		return Damaged(p.Name, "the bytes behind it are not empty")
	}
	return nil
}

func zeroed(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

func cutShort(part string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Damaged(part, "the archive ends in it")
	}
	return fmt.Errorf("read part %s: %w", part, err)
}
