package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// defaultModel is where commands work that nothing else sends elsewhere.
const defaultModel model.ModelName = "default"

// preferences are what the client remembers between commands.
type preferences struct {
	Context string          `json:"context,omitempty"` // that login saved; empty for this host's own
	Model   model.ModelName `json:"model,omitempty"`
}

// currentModel is the model that --model, GANTRY_MODEL or switch named.
func (sh *shell) currentModel() (model.ModelName, error) {
	if text := firstOf(sh.flags.model, sh.Getenv("GANTRY_MODEL")); text != "" {
		return model.ParseModelName(text)
	}
	p, err := sh.preferences()
	if err != nil || p.Model == "" {
		return defaultModel, err
	}
	return p.Model, nil
}

// blameChoice says of an error that the model does not exist which an earlier
// switch chose, be it on another controller at the same place.
func (s *session) blameChoice(ctx context.Context, err error) error {
	if !errors.Is(err, model.ErrNotFound) || s.model == defaultModel || firstOf(s.flags.model, s.Getenv("GANTRY_MODEL")) != "" {
		return err
	}
	list, listErr := s.client.ListModels(ctx)
	if listErr != nil || slices.ContainsFunc(list, func(m operator.ModelSummary) bool { return m.Name == s.model }) {
		return err
	}
	return fmt.Errorf("%w\nmodel %s was chosen with gantry switch and is not on this controller: gantry switch %s", err, s.model, defaultModel)
}

// ForgetModel forgets the model that was chosen on this host's own install,
// which is new or gone, and returns it; empty where none was.
func ForgetModel(getenv func(string) string) (model.ModelName, error) {
	sh := &shell{Config: Config{Getenv: getenv}}
	p, err := sh.preferences()
	if err != nil || p.Context != "" || p.Model == "" || p.Model == defaultModel {
		return "", err
	}
	return p.Model, sh.workIn("")
}

func (sh *shell) preferencesPath() (string, error) {
	dir := sh.Getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := sh.Getenv("HOME")
		if home == "" {
			return "", errors.New("neither XDG_CONFIG_HOME nor HOME is set: name the model with --model")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "gantry", "client.json"), nil
}

func (sh *shell) preferences() (p preferences, err error) {
	path, err := sh.preferencesPath()
	if err != nil {
		return preferences{}, nil //nolint:nilerr // without a place for it nothing was remembered
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read preferences: %w", err)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("preferences %s: %w; remove the file, or name the model with --model", path, err)
	}
	return p, nil
}

// workIn remembers the model that commands work in.
func (sh *shell) workIn(name model.ModelName) error {
	p, err := sh.preferences()
	if err != nil {
		return err
	}
	p.Model = name
	return sh.savePreferences(p)
}

func (sh *shell) savePreferences(p preferences) error {
	path, err := sh.preferencesPath()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(p, "", "\t")
	if err != nil {
		return fmt.Errorf("encode preferences: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save preferences: %w", err)
	}
	next := path + ".new"
	if err := os.WriteFile(next, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("save preferences: %w", err)
	}
	return os.Rename(next, path)
}
