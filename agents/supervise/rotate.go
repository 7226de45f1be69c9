package supervise

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Services append to their log file by themselves (O_APPEND), so that they need
// no supervisor to write. They cannot be told to open another file; truncating
// it would lose what is written between the copy and the cut. So the head of
// the file is copied to a rotated file and then taken out of the live one while
// its writers go on:
//
//   - where the file system can (ext4, xfs), FALLOC_FL_COLLAPSE_RANGE removes
//     the range and shortens the file, atomically to appenders;
//   - elsewhere FALLOC_FL_PUNCH_HOLE gives the blocks back; the live file then
//     begins with a hole, which reads as zeros and uses no disk.
//
// Either works in whole blocks, so a line may span two files: the files from
// oldest to newest, holes left out, are the exact output. A crash between copy
// and removal repeats a range, and never loses one.

// logBlock is a multiple of every file system block size in use.
const logBlock = 64 << 10

// rotation is one log file's bounds: each rotated file has at most max bytes
// (at least one block), keep of them stay.
type rotation struct {
	path string
	max  int64
	keep int
}

// openLog opens the log for a service to write, owned by its account.
func openLog(path string, a *account) (*os.File, error) {
	if path == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if a != nil {
		if err := f.Chown(a.UID, a.GID); err != nil {
			return nil, errors.Join(fmt.Errorf("open log: %w", err), f.Close())
		}
	}
	return f, nil
}

// rotate moves full chunks out of the live log until less than one is left.
func (r rotation) rotate() error {
	f, err := os.OpenFile(r.path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("rotate log: %w", err)
	}
	defer f.Close()
	chunk := max(r.max/logBlock, 1) * logBlock
	for {
		begin, size, err := extent(f)
		if err != nil {
			return fmt.Errorf("rotate log %s: %w", r.path, err)
		}
		if size-begin < chunk {
			return nil
		}
		if err := r.move(f, begin, chunk); err != nil {
			return fmt.Errorf("rotate log %s: %w", r.path, err)
		}
	}
}

// extent says where the data of the live log begins, after what was punched out
// before, and where it ends.
func extent(f *os.File) (begin, size int64, err error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return 0, 0, err
	}
	begin, err = unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return info.Size(), info.Size(), nil // nothing but a hole
	}
	return begin / logBlock * logBlock, info.Size(), err
}

// move makes [begin, begin+n) of the live log the newest rotated file.
func (r rotation) move(f *os.File, begin, n int64) error {
	tmp := r.path + ".rotating"
	if err := copyRange(tmp, f, begin, n); err != nil {
		return err
	}
	if err := r.shift(); err != nil {
		return err
	}
	if err := os.Rename(tmp, r.name(1)); err != nil {
		return err
	}
	if begin == 0 && unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, n) == nil {
		return nil
	}
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, begin, n)
}

func copyRange(path string, f *os.File, begin, n int64) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.NewSectionReader(f, begin, n))
	return errors.Join(err, out.Sync(), out.Close())
}

// shift renames each rotated file to the next number; the oldest goes.
func (r rotation) shift() error {
	for i := r.keep; i > 1; i-- {
		if err := os.Rename(r.name(i-1), r.name(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (r rotation) name(i int) string { return fmt.Sprintf("%s.%d", r.path, i) }
