package consensus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/raft-wal/types"
)

// After a failed fsync the kernel takes what it could not write for written: a
// process that starts again reads it, and the disk has never had it. So what a
// log could not be sure of when it ended is written again when it begins.

// renewing is a file system that writes a segment again before it is appended
// to. That is the last one: no other had a write that was not acknowledged.
type renewing struct{ types.VFS }

// OpenWriter implements types.VFS.
func (r renewing) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := r.VFS.OpenWriter(dir, name)
	if err != nil {
		return nil, err
	}
	if err := rewrite(f); err != nil {
		return nil, fmt.Errorf("write %s again: %w", name, errors.Join(err, f.Close()))
	}
	return f, nil
}

// rewrite writes what a file holds in its place. Whatever a crash leaves of it
// is what was there already, on the disk or in the page cache.
func rewrite(f types.WritableFile) error {
	held, err := io.ReadAll(io.NewSectionReader(f, 0, 4*segmentBytes))
	if err != nil {
		return err
	}
	if held = bytes.TrimRight(held, "\x00"); len(held) > 0 {
		if _, err := f.WriteAt(held, 0); err != nil {
			return err
		}
	}
	return f.Sync()
}

// renewFile replaces a file by a copy of it, whole or not at all. Where there
// is none it does nothing.
func renewFile(path string) error {
	held, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("renew: %w", err)
	}
	f, err := os.OpenFile(path+".renewed", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("renew %s: %w", path, err)
	}
	_, err = f.Write(held)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("renew %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("renew %s: %w", path, err)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("renew %s: %w", path, err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("renew %s: %w", path, err)
	}
	return nil
}

// segments are the files of a log. raft-wal 0.4.0 seals a segment whose end it
// cut off without an index, and cannot read it after a restart
// (hashicorp/raft-wal#31): the entries are found again as in one that is not
// sealed.
type segments struct{ types.SegmentFiler }

// Open implements types.SegmentFiler.
func (s segments) Open(info types.SegmentInfo) (types.SegmentReader, error) {
	if info.IndexStart == 0 {
		return s.RecoverTail(info)
	}
	return s.SegmentFiler.Open(info)
}
