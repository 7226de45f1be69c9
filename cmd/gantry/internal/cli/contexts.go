package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
)

// localContext is the name of the context that this host's own install has.
const localContext = "local"

var contextPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// savedContext is the file of a context that login saved.
func (sh *shell) savedContext(name string) (string, error) {
	if !contextPattern.MatchString(name) || name == localContext {
		return "", fmt.Errorf("context name %q: expected letters, digits, dots, dashes and @, and not %s: %w", name, localContext, model.ErrInvalid)
	}
	path, err := sh.preferencesPath()
	return filepath.Join(filepath.Dir(path), "contexts", name+".json"), err
}

// savedContexts lists what login saved, by name.
func (sh *shell) savedContexts() (names []string) {
	path, err := sh.preferencesPath()
	if err != nil {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "contexts", "*.json"))
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	slices.Sort(names)
	return names
}

// contextPath is the context that --context or GANTRY_CONTEXT names, be it a
// file or a name, else the one switched to, else this host's own.
func (sh *shell) contextPath() (string, error) {
	if given := firstOf(sh.flags.context, sh.Getenv("GANTRY_CONTEXT")); given != "" {
		if given == localContext {
			return sh.ownContext()
		}
		if path, err := sh.savedContext(given); err == nil {
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
		return given, nil
	}
	p, err := sh.preferences()
	if err != nil {
		return "", err
	}
	if p.Context != "" {
		return sh.savedContext(p.Context)
	}
	return sh.ownContext()
}

func (sh *shell) ownContext() (string, error) {
	if sh.ContextPath != nil {
		if path := sh.ContextPath(); path != "" {
			return path, nil
		}
	}
	return "", errors.New("no context file: run gantry up, log in with gantry login, or name one with --context")
}

// identity is who the command speaks as: a pipeline's token from the
// environment, or a context file.
func (sh *shell) identity() (client.Context, error) {
	if word := sh.Getenv("GANTRY_TOKEN"); word != "" && sh.flags.context == "" {
		return client.ParseWord(word)
	}
	path, err := sh.contextPath()
	if err != nil {
		return client.Context{}, err
	}
	where, err := client.Load(path)
	if errors.Is(err, model.ErrNotFound) && path == firstOf(sh.flags.context, sh.Getenv("GANTRY_CONTEXT")) {
		return where, fmt.Errorf("context %s is neither one that you are logged in to nor a file%s: see gantry contexts",
			path, model.DidYouMean(path, append(sh.savedContexts(), localContext)))
	}
	if err != nil {
		return where, errors.New(err.Error()) // no refusal by a policy: its class stays here
	}
	return where, nil
}

// renewWithin bounds what renewing may add to a command.
const renewWithin = 3 * time.Second

// renewed renews a certificate when that is due. Where it cannot be, the
// command goes on with the old one.
func (s *session) renewed(ctx context.Context, where client.Context) {
	due, err := where.Due()
	if err != nil || s.Now().Before(due) || s.Getenv("GANTRY_TOKEN") != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, renewWithin)
	defer cancel()
	if _, err := s.client.Renew(ctx, where); err != nil {
		s.note("your certificate is due for renewal, which failed: %v", err)
	}
}

// contextLine is one context, for a list.
type contextLine struct {
	Name      string   `json:"name"`
	Current   bool     `json:"current,omitempty"`
	Addresses []string `json:"addresses"`
}

func newContexts(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "contexts",
		Short: "List the controllers that you are logged in to; a * marks the one in use",
		Args:  exactly(),
		RunE:  func(*cobra.Command, []string) error { return sh.listContexts() },
	}
}

func (sh *shell) listContexts() error {
	p, err := sh.preferences()
	if err != nil {
		return err
	}
	list := []contextLine{}
	if path, err := sh.ownContext(); err == nil {
		if c, err := client.Load(path); err == nil {
			list = append(list, contextLine{localContext, p.Context == "", c.Addresses})
		}
	}
	for _, name := range sh.savedContexts() {
		path, err := sh.savedContext(name)
		if err != nil {
			continue
		}
		c, err := client.Load(path)
		if err != nil {
			return err
		}
		list = append(list, contextLine{name, p.Context == name, c.Addresses})
	}
	return sh.answer(list, func(w io.Writer) {
		t := &table{}
		t.row("Context", "Addresses")
		for _, c := range list {
			if c.Current {
				c.Name += "*"
			}
			t.row(c.Name, strings.Join(c.Addresses, ", "))
		}
		t.write(w)
	})
}

// switchContext chooses "CONTEXT:" or "CONTEXT:MODEL".
func (sh *shell) switchContext(word string) error {
	name, modelName, _ := strings.Cut(word, ":")
	p := preferences{Context: name, Model: model.ModelName(modelName)}
	if modelName != "" {
		if _, err := model.ParseModelName(modelName); err != nil {
			return err
		}
	}
	if name == localContext {
		p.Context = ""
	} else if !slices.Contains(sh.savedContexts(), name) {
		return fmt.Errorf("context %s, see gantry contexts%s: %w", name, model.DidYouMean(name, append(sh.savedContexts(), localContext)), model.ErrNotFound)
	}
	if err := sh.savePreferences(p); err != nil {
		return err
	}
	return sh.answer(p, func(w io.Writer) { fmt.Fprintln(w, "->", word) })
}

// forgetContext removes a saved context, and leaves it where it is in use.
func (sh *shell) forgetContext(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget the context: %w", err)
	}
	p, err := sh.preferences()
	if err != nil {
		return err
	}
	if p.Context == strings.TrimSuffix(filepath.Base(path), ".json") {
		return sh.savePreferences(preferences{})
	}
	return nil
}
