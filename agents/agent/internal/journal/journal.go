// Package journal keeps an append-only file of checksummed records: what an
// agent must know again after a kill -9.
//
// A record is a line: eight hex digits of CRC-32C, a space, the record's
// bytes, which hold no newline (JSON does not). An appended record is on disk
// when Append returns. A tail that was torn by a crash is cut off on Open;
// damage before the tail is refused, because what follows it was promised.
package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/gantry-orchestrator/gantry/model"
)

// File is an open journal. It has one user at a time.
type File struct {
	path string
	file *os.File
	size int64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open opens or makes the journal at path and returns its records in order.
func Open(path string) (*File, [][]byte, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, nil, fmt.Errorf("open journal %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	j := &File{path: path, file: f}
	records, err := j.recover()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return j, records, nil
}

// recover reads all records and cuts off a torn tail.
func (j *File) recover() ([][]byte, error) {
	b, err := io.ReadAll(j.file)
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", j.path, err)
	}
	records, whole := decode(b)
	if rest := b[whole:]; len(rest) > 0 {
		if later, _ := decode(afterLine(rest)); len(later) > 0 {
			return nil, fmt.Errorf("journal %s is damaged at byte %d, with good records after it: keep a copy, then remove the bad line: %w", j.path, whole, model.ErrConflict)
		}
		if err := j.file.Truncate(int64(whole)); err != nil {
			return nil, fmt.Errorf("cut the torn tail of journal %s: %w", j.path, err)
		}
	}
	j.size = int64(whole)
	return records, j.file.Sync()
}

// decode returns the records up to the first that is not whole, and how many
// bytes they take.
func decode(b []byte) (records [][]byte, whole int) {
	for {
		line, _, found := bytes.Cut(b[whole:], []byte{'\n'})
		if !found || len(line) < 9 || line[8] != ' ' {
			return records, whole
		}
		record := line[9:]
		if string(line[:8]) != checksum(record) {
			return records, whole
		}
		records = append(records, record)
		whole += len(line) + 1
	}
}

func afterLine(b []byte) []byte {
	_, after, _ := bytes.Cut(b, []byte{'\n'})
	return after
}

func checksum(record []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(record, castagnoli))
}

func encode(records [][]byte) ([]byte, error) {
	var out []byte
	for _, r := range records {
		if bytes.IndexByte(r, '\n') >= 0 {
			return nil, fmt.Errorf("a journal's record holds no newline: %w", model.ErrInvalid)
		}
		out = append(out, checksum(r)...)
		out = append(out, ' ')
		out = append(out, r...)
		out = append(out, '\n')
	}
	return out, nil
}

// Append writes records and flushes them: after it they survive a crash, all
// or, where it is interrupted, the first of them.
func (j *File) Append(records ...[]byte) error {
	b, err := encode(records)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(b); err != nil {
		return errors.Join(fmt.Errorf("append to journal %s: %w", j.path, err), j.file.Truncate(j.size))
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("flush journal %s: %w", j.path, err)
	}
	j.size += int64(len(b))
	return nil
}

// Size is how many bytes the journal takes.
func (j *File) Size() int64 { return j.size }

// Compact replaces all records by these, at once.
func (j *File) Compact(records ...[]byte) error {
	b, err := encode(records)
	if err != nil {
		return err
	}
	aside := j.path + ".new"
	f, err := os.OpenFile(aside, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("compact journal %s: %w", j.path, err)
	}
	if err := fill(f, b); err != nil {
		return errors.Join(fmt.Errorf("compact journal %s: %w", j.path, err), f.Close(), os.Remove(aside))
	}
	if err := os.Rename(aside, j.path); err != nil {
		return errors.Join(fmt.Errorf("compact journal %s: %w", j.path, err), f.Close(), os.Remove(aside))
	}
	old := j.file
	j.file, j.size = f, int64(len(b))
	return errors.Join(old.Close(), flushNames(filepath.Dir(j.path)))
}

func fill(f *os.File, b []byte) error {
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

func flushNames(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Close closes the file.
func (j *File) Close() error { return j.file.Close() }

// Remove closes and removes the journal.
func (j *File) Remove() error {
	if err := errors.Join(j.file.Close(), os.Remove(j.path)); err != nil {
		return fmt.Errorf("remove journal: %w", err)
	}
	return flushNames(filepath.Dir(j.path))
}
