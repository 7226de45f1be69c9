package bundle

import (
	"fmt"
	"path"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// CharmRef says which charm an application runs: one of the hub by its name,
// or a local one by its path. The zero CharmRef names none.
type CharmRef struct {
	Name model.CharmName // of the hub
	Path string          // a directory, relative to the bundle's unless absolute
}

// ParseCharmRef parses "postgresql", "ch:postgresql", "local:PATH", "./PATH"
// and "/PATH".
func ParseCharmRef(s string) (CharmRef, error) {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "/") {
		return CharmRef{Path: s}, nil
	}
	scheme, rest, schemed := strings.Cut(s, ":")
	switch {
	case !schemed:
		rest = s
	case scheme == "local" && rest != "":
		return CharmRef{Path: rest}, nil
	case scheme == "cs":
		return CharmRef{}, fmt.Errorf("charm %q: the charm store is closed; expected the name on the hub, such as %q: %w",
			s, storeName(rest), model.ErrInvalid)
	case scheme != "ch":
		return CharmRef{}, fmt.Errorf("charm %q: expected NAME, ch:NAME, local:PATH or ./PATH%s: %w",
			s, model.DidYouMean(scheme, []string{"ch", "local"}), model.ErrInvalid)
	}
	if _, err := model.ParseApplicationName(rest); err != nil {
		return CharmRef{}, fmt.Errorf("charm %q: expected NAME, ch:NAME, local:PATH or ./PATH, the revision and series in keys of their own: %w",
			s, model.ErrInvalid)
	}
	return CharmRef{Name: model.CharmName(rest)}, nil
}

// storeName guesses the hub's name for "~user/series/name-12" of the store.
func storeName(s string) string {
	name := path.Base(s)
	if i := strings.LastIndex(name, "-"); i > 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		name = name[:i]
	}
	return name
}

// IsZero reports whether no charm is named.
func (c CharmRef) IsZero() bool { return c == CharmRef{} }

// IsLocal reports whether the charm is a path.
func (c CharmRef) IsLocal() bool { return c.Path != "" }

// String writes the reference as ParseCharmRef reads it.
func (c CharmRef) String() string {
	switch {
	case c.Path == "":
		return string(c.Name)
	case strings.HasPrefix(c.Path, ".") || strings.HasPrefix(c.Path, "/"):
		return c.Path
	default:
		return "local:" + c.Path
	}
}

// MarshalText implements encoding.TextMarshaler; no charm is "".
func (c CharmRef) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *CharmRef) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*c = CharmRef{}
		return nil
	}
	*c, err = ParseCharmRef(string(b))
	return err
}
