package perform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/model"
)

// Outcome is a directory in which a run leaves what came of it, so that this
// is not lost with an agent that dies between the run's end and its journal.
// The directory is locked while the run goes on, whoever began it. A run that
// was killed leaves no outcome.
type Outcome struct{ Dir string }

// The files of an outcome.
const (
	outputFile = "out"
	errorsFile = "err"
	codeFile   = "code" // what the run's first process holds the lock on
)

// The keeper runs a command and writes its exit code, to a file that the command
// itself does not have open: what it leaves in the background holds no lock.
const (
	shell  = "/bin/sh"
	keeper = `"$@" 3>&-; code=$?; echo $code >&3; exit $code`
)

// awaitInterval is how often Await looks whether a run goes on.
const awaitInterval = 100 * time.Millisecond

// Clear forgets what an earlier run left. While that goes on the error is of
// class model.ErrUnavailable.
func (o Outcome) Clear() error {
	lock, err := o.lock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(o.Dir), lock.Close())
}

func (o Outcome) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(o.Dir, codeFile), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("a run that an agent began before it died goes on: %w", model.ErrUnavailable), f.Close())
	}
	return f, nil
}

// Await waits until no run goes on and returns the exit code and the standard
// output, of which the end is kept. A run that left none was killed.
func (o Outcome) Await(ctx context.Context) (code int, output string, left bool, err error) {
	for {
		lock, err := o.lock()
		if err == nil {
			defer lock.Close()
			break
		}
		if errors.Is(err, fs.ErrNotExist) {
			return 0, "", false, nil
		}
		timer := time.NewTimer(awaitInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, "", false, errors.Join(err, ctx.Err())
		case <-timer.C:
		}
	}
	text, err := os.ReadFile(filepath.Join(o.Dir, codeFile))
	if err != nil {
		return 0, "", false, err
	}
	code, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, "", false, nil
	}
	output, _, err = o.read(outputFile)
	return code, output, err == nil, err
}

// read returns the end of a file of the outcome, and the size of all of it.
func (o Outcome) read(name string) (end string, size int64, err error) {
	f, err := os.Open(filepath.Join(o.Dir, name))
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	b := make([]byte, min(info.Size(), maxOutput))
	n, err := f.ReadAt(b, info.Size()-int64(len(b)))
	if n == len(b) {
		err = nil
	}
	return string(b[:n]), info.Size(), err
}

// open makes the files for a new run. The lock goes to whoever inherits the
// last of them.
func (o Outcome) open() (files [3]*os.File, err error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return files, fmt.Errorf("keep the outcome of a run: %w", err)
	}
	for i, name := range []string{outputFile, errorsFile, codeFile} {
		f, err := os.OpenFile(filepath.Join(o.Dir, name), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err == nil {
			files[i] = f
			continue
		}
		return files, errors.Join(fmt.Errorf("keep the outcome of a run: %w", err), closeAll(files))
	}
	if err := unix.Flock(int(files[2].Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return files, errors.Join(fmt.Errorf("keep the outcome of a run: another goes on: %w", model.ErrUnavailable), closeAll(files))
	}
	return files, nil
}

func closeAll(files [3]*os.File) error {
	var err error
	for _, f := range files {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// run runs a command and leaves its outcome.
func (o Outcome) run(cmd *exec.Cmd) (Output, error) {
	if err := o.supervise(cmd); err != nil {
		return Output{}, err
	}
	err := cmd.Wait()
	out := Output{Code: cmd.ProcessState.ExitCode()}
	var readErr, alsoErr error
	out.Stdout, out.Wrote.Stdout, readErr = o.read(outputFile)
	out.Stderr, out.Wrote.Stderr, alsoErr = o.read(errorsFile)
	return out, cmp.Or(err, readErr, alsoErr)
}

// Output runs a command, as its method of this name does, and leaves its
// outcome. The end of its standard error goes to cmd.Stderr once it has ended.
func (o Outcome) Output(cmd *exec.Cmd) ([]byte, error) {
	stderr := cmd.Stderr
	out, err := o.run(cmd)
	if stderr != nil && out.Stderr != "" {
		if _, writeErr := io.WriteString(stderr, out.Stderr); err == nil {
			err = writeErr
		}
	}
	return []byte(out.Stdout), err
}

// supervise starts a command under its keeper.
func (o Outcome) supervise(cmd *exec.Cmd) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	files, err := o.open()
	if err != nil {
		return err
	}
	cmd.Path, cmd.Args = shell, slices.Concat([]string{shell, "-c", keeper, "sh", cmd.Path}, cmd.Args[1:])
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = files[0], files[1], files[2:]
	return errors.Join(cmd.Start(), closeAll(files))
}
