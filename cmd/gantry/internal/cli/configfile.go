package cli

import (
	"fmt"
	"maps"
	"os"
	"path"
	"strconv"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// deployConfig joins options given as NAME=VALUE with those of files; what is
// given on the command line wins.
func deployConfig(app model.ApplicationName, charmName string, words []string) (map[string]string, error) {
	set, files, err := assignments(words)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	all := map[string]string{}
	for _, file := range files {
		options, err := readConfigFile(file, string(app), path.Base(charmName))
		if err != nil {
			return nil, err
		}
		maps.Copy(all, options)
	}
	maps.Copy(all, set)
	return all, nil
}

// readConfigFile reads options from a YAML file, either by themselves or below
// the application's name as Juju has them.
func readConfigFile(file string, names ...string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read options: %w", err)
	}
	documents, err := document.Parse(file, b)
	if err != nil {
		return nil, err
	}
	var r document.Reader
	set := map[string]string{}
	if len(documents) == 0 || documents[0].IsNull() {
		return set, nil
	}
	root := documents[0]
	if root.Kind != document.Map {
		r.Errorf(root, "expected options as NAME: VALUE")
		return nil, r.Err()
	}
	r.Unrepeated(root)
	for _, name := range names {
		if below := root.Field(name); below != nil && below.Kind == document.Map {
			root = below
			break
		}
	}
	for _, f := range root.Fields {
		value, ok := charm.ValueOf(f.Value)
		if !ok {
			r.Errorf(f.Value, "option %q: expected a text, a number or a boolean", f.Key.Value)
			continue
		}
		set[f.Key.Value] = textOf(value.Any())
	}
	return set, r.Err()
}

// textOf writes an option's value as a command line gives it.
func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}
