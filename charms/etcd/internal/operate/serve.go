package operate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gantry-orchestrator/gantry/model"
)

// Serving is how a member is started.
type Serving struct {
	Data    string   // directory of the member's data
	Begun   string   // file that says, away from the data, that the member has begun
	Refusal string   // file that says why the member was not started
	Command []string // etcd and its flags
}

// Serve becomes etcd. Debian's 3.4 lets a member whose data is lost rejoin
// under the identity that it had, and so forget what it has voted for: one
// that has begun is started on the data that it left, or not at all. A refused
// one says why and stays without etcd until it is stopped: to end would only
// have it started again.
func (s Serving) Serve(ctx context.Context) error {
	if refused := s.admit(); refused != nil {
		if err := os.WriteFile(s.Refusal, []byte(refused.Error()), 0o644); err != nil {
			return errors.Join(refused, err)
		}
		<-ctx.Done()
		return refused
	}
	if err := os.Remove(s.Refusal); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("start %s: %w", s.Command[0], syscall.Exec(s.Command[0], s.Command, os.Environ()))
}

// admit refuses a start on lost data, and notes that the member begins.
func (s Serving) admit() error {
	begun, err := exists(s.Begun)
	if err != nil {
		return err
	}
	kept, err := exists(filepath.Join(s.Data, "member", "snap", "db"))
	if err != nil {
		return err
	}
	switch {
	case begun && !kept:
		return fmt.Errorf("%s has lost the data of a member that had begun: it must not start under the same identity: %w", s.Data, model.ErrConflict)
	case begun:
		return nil
	}
	return note(s.Begun)
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// note makes an empty file that is there after a crash too.
func note(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
