package roles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// belongings are what an install keeps in its state directory, beside its
// configuration. Nothing else in it is ever removed.
func (p Places) belongings() []string {
	return []string{
		p.Run, p.Log, p.shared(), p.supervisor(), p.provider(), p.controller(), p.controller() + ".restoring", p.config() + ".new",
	}
}

// foreign names what is in the state directory and is not an install's.
func (p Places) foreign() ([]string, error) {
	entries, err := os.ReadDir(p.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the state directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		path := filepath.Join(p.State, e.Name())
		if path != p.config() && !slices.Contains(p.belongings(), path) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// claim refuses a state directory that somebody else uses: what up takes, down
// --destroy takes away.
func (p Places) claim() error {
	if _, err := p.loadInstall(); !errors.Is(err, model.ErrNotFound) {
		return err
	}
	names, err := p.foreign()
	if err != nil || len(names) == 0 {
		return err
	}
	return fmt.Errorf("%s holds %s, which no gantry up has made: nothing was changed; give --%s a directory of its own: %w", p.State, some(names), stateDirFlag, model.ErrConflict)
}

// remove takes an install's directories away. Its configuration goes last, so
// that a removal that was cut short can be taken up again. What is not the
// install's stays, and is returned.
func (p Places) remove() (stays []string, err error) {
	for _, path := range append(p.belongings(), p.config()) {
		if err := os.RemoveAll(path); err != nil {
			return nil, fmt.Errorf("remove the install's directories: %w", err)
		}
	}
	if stays, err = p.foreign(); err != nil || len(stays) > 0 {
		return stays, err
	}
	if err := os.Remove(p.State); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the install's directories: %w", err)
	}
	return nil, nil
}

// removeEmpty takes away what an up left that was cut short before it chose
// anything. A directory that holds something is refused whole.
func (p Places) removeEmpty() error {
	for _, dir := range []string{p.Run, p.Log, p.State} {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return fmt.Errorf("nothing is installed in %s: there is no %s: nothing was removed: %w: %w", p.State, filepath.Base(p.config()), err, model.ErrNotFound)
	}
	return nil
}

// some names the first few of many.
func some(names []string) string {
	const few = 3
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
