package charm

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// OptionType is the type that an option's value has.
type OptionType string

// The types of Juju's config.yaml.
const (
	StringOption  OptionType = "string"
	IntOption     OptionType = "int"
	FloatOption   OptionType = "float"
	BooleanOption OptionType = "boolean"
	SecretOption  OptionType = "secret" // the URI of a secret, or ""
)

// Option is one setting that a charm understands.
type Option struct {
	Name        string     `json:"name"`
	Type        OptionType `json:"type"`
	Description string     `json:"description,omitempty"`
	Default     *Value     `json:"default,omitempty"`
}

// Config is the options of a charm, in the order of their names.
type Config struct {
	Options []Option `json:"options,omitempty"`
}

// Option returns the option of that name.
func (c Config) Option(name string) (Option, bool) {
	i, found := slices.BinarySearchFunc(c.Options, name, func(o Option, name string) int { return strings.Compare(o.Name, name) })
	if !found {
		return Option{}, false
	}
	return c.Options[i], true
}

// Names returns the names of the options in order.
func (c Config) Names() []string {
	names := make([]string, len(c.Options))
	for i, o := range c.Options {
		names[i] = o.Name
	}
	return names
}

// Defaults returns the default of every option that has one.
func (c Config) Defaults() Settings {
	defaults := Settings{}
	for _, o := range c.Options {
		if o.Default != nil {
			defaults[o.Name] = *o.Default
		}
	}
	return defaults
}

// WithDefaults returns the settings laid over the defaults.
func (c Config) WithDefaults(s Settings) Settings {
	all := c.Defaults()
	maps.Copy(all, s)
	return all
}

// Parse reads texts, as a command line gives them, into typed settings. The
// error lists every option that is unknown or of the wrong type.
func (c Config) Parse(texts map[string]string) (Settings, error) {
	settings := make(Settings, len(texts))
	for name, text := range texts {
		settings[name] = StringValue(text)
	}
	return c.Validate(settings)
}

// Validate returns the settings with the types of their options: a text that
// reads as the type is taken for it, and an integer where a float is wanted.
// The error lists every option that is unknown or of the wrong type.
func (c Config) Validate(s Settings) (Settings, error) {
	typed := make(Settings, len(s))
	var errs []error
	for _, name := range s.Names() {
		v, err := c.Coerce(name, s[name])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		typed[name] = v
	}
	return typed, errors.Join(errs...)
}

// Coerce returns one value with the type of its option.
func (c Config) Coerce(name string, v Value) (Value, error) {
	option, ok := c.Option(name)
	if !ok {
		return Value{}, fmt.Errorf("unknown option %q%s: %w", name, model.DidYouMean(name, c.Names()), model.ErrInvalid)
	}
	return option.coerce(v)
}

func (o Option) coerce(v Value) (Value, error) {
	typed, ok := v, false
	switch o.Type {
	case StringOption:
		ok = v.kind == StringKind
	case SecretOption:
		ok = v.kind == StringKind && isSecret(v.text)
	case IntOption:
		typed, ok = toInt(v)
	case FloatOption:
		typed, ok = toFloat(v)
	case BooleanOption:
		typed, ok = toBool(v)
	}
	if ok {
		return typed, nil
	}
	return Value{}, fmt.Errorf("option %q: expected %s, found %s%s: %w",
		o.Name, expectation[o.Type], v.describe(), o.quoteHint(v), model.ErrInvalid)
}

var expectation = map[OptionType]string{
	StringOption:  "a string",
	SecretOption:  `a secret's URI such as "secret:9m4e2mr0ui3e8a215n4g"`,
	IntOption:     "a whole number",
	FloatOption:   "a number",
	BooleanOption: "true or false",
}

// quoteHint explains YAML's trap: a text that looks like a number needs quotes.
func (o Option) quoteHint(v Value) string {
	if o.Type == StringOption {
		return fmt.Sprintf("; write it in quotes: %q", v.String())
	}
	return ""
}

func isSecret(s string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && u.Scheme == "secret"
}

func toInt(v Value) (Value, bool) {
	if v.kind != StringKind {
		return v, v.kind == IntKind
	}
	i, err := strconv.ParseInt(v.text, 10, 64)
	return IntValue(i), err == nil
}

func toFloat(v Value) (Value, bool) {
	switch v.kind {
	case FloatKind:
		return v, true
	case IntKind:
		return FloatValue(float64(v.integer)), true
	case StringKind:
		f, err := strconv.ParseFloat(v.text, 64)
		return FloatValue(f), err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	default:
		return v, false
	}
}

func toBool(v Value) (Value, bool) {
	if v.kind != StringKind {
		return v, v.kind == BoolKind
	}
	switch strings.ToLower(v.text) {
	case "yes", "on":
		return BoolValue(true), true
	case "no", "off":
		return BoolValue(false), true
	}
	b, err := strconv.ParseBool(v.text)
	return BoolValue(b), err == nil
}
