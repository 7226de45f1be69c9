package perform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Before is what was at a path before an effect was performed there: the data
// that undoes it.
type Before struct {
	Existed bool     `json:"existed,omitempty"`
	Dir     bool     `json:"dir,omitempty"`
	Link    string   `json:"link,omitempty"` // target, where it was a symbolic link
	Content []byte   `json:"content,omitempty"`
	Mode    uint32   `json:"mode,omitempty"`
	UID     int      `json:"uid,omitempty"`
	GID     int      `json:"gid,omitempty"`
	Made    []string `json:"made,omitempty"` // directories above it that were made, the outermost first
}

// maxBefore bounds the content that is kept for undoing: a file that a charm
// replaces is configuration, not data.
const maxBefore = 4 << 20

// inspect reads what is at path.
func inspect(path string) (Before, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Before{}, nil
	}
	if err != nil {
		return Before{}, fmt.Errorf("look at %s: %w", path, err)
	}
	b := Before{Existed: true, Dir: info.IsDir(), Mode: uint32(info.Mode().Perm())}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		b.UID, b.GID = int(st.Uid), int(st.Gid)
	}
	switch {
	case info.IsDir():
		return b, nil
	case info.Mode()&fs.ModeSymlink != 0:
		b.Link, err = os.Readlink(path)
		return b, err
	case !info.Mode().IsRegular():
		return b, fmt.Errorf("%s is a device, socket or pipe: remove it, or give the file another path: %w", path, model.ErrConflict)
	case info.Size() > maxBefore:
		return b, fmt.Errorf("%s has %d bytes, more than could be put back: move it away first: %w", path, info.Size(), model.ErrConflict)
	}
	b.Content, err = os.ReadFile(path)
	return b, err
}

// digest identifies what is at a path by kind, mode, owner and content. Of a
// path with nothing there it is empty.
func (b Before) digest() string {
	if !b.Existed {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "dir=%t link=%q mode=%o uid=%d gid=%d\n", b.Dir, b.Link, b.Mode, b.UID, b.GID)
	h.Write(b.Content)
	return hex.EncodeToString(h.Sum(nil))
}

// FileDigest identifies what is at a path now; empty where nothing is.
func FileDigest(path string) (string, error) {
	b, err := inspect(path)
	return b.digest(), err
}

// Look says what is at path now, and which directories above it are missing.
func Look(path string) (Before, error) {
	before, err := inspect(path)
	if err != nil {
		return Before{}, err
	}
	before.Made = missingParents(path)
	return before, nil
}

// WriteFile makes the file or directory as it should be, with the directories
// above it. It returns the digest of what is there then.
func WriteFile(ctx context.Context, secrets Secrets, f effect.File) (digest string, err error) {
	there, err := inspect(f.Path)
	if err != nil {
		return "", err
	}
	owner, err := lookup(f.Owner, f.Group)
	if err != nil {
		return "", fmt.Errorf("own %s: %w", f.Path, err)
	}
	if there.Existed && there.Dir != f.Dir {
		return "", fmt.Errorf("%s is %s: remove it, or give the file another path: %w", f.Path, kindOf(there), model.ErrConflict)
	}
	content, err := Render(ctx, secrets, f.Content)
	if err != nil {
		return "", fmt.Errorf("fill %s: %w", f.Path, err)
	}
	if err := makeParents(f.Path); err != nil {
		return "", err
	}
	if f.Dir {
		err = makeDir(f.Path, fs.FileMode(f.Mode), owner)
	} else {
		err = replaceFile(f.Path, content, fs.FileMode(f.Mode), owner)
	}
	if err != nil {
		return "", err
	}
	return FileDigest(f.Path)
}

func kindOf(b Before) string {
	if b.Dir {
		return "a directory"
	}
	return "a file"
}

// makeDir makes a directory, or gives one that exists its owner and mode.
func makeDir(path string, mode fs.FileMode, owner account) error {
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make directory %s: %w", path, err)
	}
	if err := owner.give(path); err != nil {
		return err
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("set the mode of %s: %w", path, err)
	}
	return SyncDir(path)
}

// RestoreFile puts back what was at path. A directory that was not there and
// holds something by now is kept, and named in left.
func RestoreFile(path string, before Before) (left []string, err error) {
	switch {
	case !before.Existed:
		left, err = remove(path)
	case before.Dir:
		err = makeDir(path, fs.FileMode(before.Mode), account{UID: before.UID, GID: before.GID})
	case before.Link != "":
		err = relink(path, before)
	default:
		err = replaceFile(path, before.Content, fs.FileMode(before.Mode), account{UID: before.UID, GID: before.GID})
	}
	if err != nil {
		return left, err
	}
	removeEmpty(before.Made)
	return left, nil
}

func remove(path string) (left []string, err error) {
	err = os.Remove(path)
	switch {
	case err == nil, errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, syscall.ENOTEMPTY):
		return []string{path}, nil
	}
	return nil, fmt.Errorf("remove %s: %w", path, err)
}

func relink(path string, before Before) error {
	if _, err := remove(path); err != nil {
		return err
	}
	if err := os.Symlink(before.Link, path); err != nil {
		return fmt.Errorf("put back the link %s: %w", path, err)
	}
	return account{UID: before.UID, GID: before.GID}.give(path)
}
