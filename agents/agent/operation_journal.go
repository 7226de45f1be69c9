package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// operationsKept is how many files of operations that have ended stay, so that
// one that is pushed again does not run again.
const operationsKept = 256

// unknownOutcome is how an operation ends whose agent ended before it did.
const unknownOutcome = "outcome unknown: the agent was restarted while it ran; see what it did, then run it again if it is to"

// operationFile is the journal of one operation: it is there before the
// operation runs, empty until the operation has ended, and then holds the
// result.
type operationFile string

func (d Dirs) operations() string { return filepath.Join(d.State, "operations") }

// operation is the file of an operation. What is asked is part of its name: a
// restored controller counts its operations from an earlier number on.
func (d Dirs) operation(op effect.Operation) (operationFile, error) {
	b, err := json.Marshal(op)
	if err != nil {
		return "", fmt.Errorf("operation %s: %w", op.ID, err)
	}
	sum := sha256.Sum256(b)
	return operationFile(filepath.Join(d.operations(), hex.EncodeToString(sum[:16]))), nil
}

// begin makes the file. An operation that was begun before is not to run
// again: its result is what it left, or that nothing is known of it.
func (f operationFile) begin(id string) (before *effect.OperationResult, err error) {
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o700); err != nil {
		return nil, fmt.Errorf("journal an operation: %w", err)
	}
	file, err := os.OpenFile(string(f), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return f.result(id)
	}
	if err != nil {
		return nil, fmt.Errorf("journal an operation: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close(), perform.SyncDir(filepath.Dir(string(f)))); err != nil {
		return nil, fmt.Errorf("journal an operation: %w", err)
	}
	return nil, nil
}

func (f operationFile) result(id string) (*effect.OperationResult, error) {
	b, err := os.ReadFile(string(f))
	if err != nil {
		return nil, fmt.Errorf("journal an operation: %w", err)
	}
	left := effect.OperationResult{}
	if len(b) == 0 || json.Unmarshal(b, &left) != nil || left.ID != id {
		left = effect.OperationResult{ID: id, Failed: unknownOutcome}
	}
	return &left, nil
}

// finish keeps the result until a controller has it.
func (f operationFile) finish(r effect.OperationResult) error {
	b, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(string(f)+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(string(f)+".new", string(f))
	}
	if err != nil {
		return fmt.Errorf("journal an operation's result: %w", err)
	}
	return nil
}

// settle empties the file of an operation whose result a controller has, and
// removes the oldest of those.
func (f operationFile) settle() error {
	if err := os.Truncate(string(f), 0); err != nil {
		return fmt.Errorf("journal an operation: %w", err)
	}
	entries, err := os.ReadDir(filepath.Dir(string(f)))
	if err != nil || len(entries) <= operationsKept {
		return err
	}
	var ended []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Size() == 0 {
			ended = append(ended, info)
		}
	}
	slices.SortFunc(ended, func(x, y fs.FileInfo) int { return x.ModTime().Compare(y.ModTime()) })
	for _, old := range ended[:max(0, len(ended)-operationsKept)] {
		err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(string(f)), old.Name())))
	}
	return err
}
