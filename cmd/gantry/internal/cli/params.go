package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// parameters are an action's, of a YAML file and of NAME=VALUE words, which
// win. A dot in a name goes one map deeper. Values are typed as YAML has them,
// unless they are to be texts.
func parameters(file string, words []string, texts bool) (map[string]any, error) {
	params := map[string]any{}
	if file != "" {
		data, err := readFile(file)
		if err != nil {
			return nil, err
		}
		if params, err = parameterFile(file, data); err != nil {
			return nil, err
		}
	}
	set, rest, err := assignments(words)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("parameter %q: expected NAME=VALUE: %w", rest[0], model.ErrInvalid)
	}
	for name, text := range set {
		value, err := parameterValue(name, text, texts)
		if err != nil {
			return nil, err
		}
		if err := put(params, strings.Split(name, "."), value); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return params, nil
}

func parameterFile(file string, data []byte) (map[string]any, error) {
	documents, err := document.Parse(file, data)
	if err != nil {
		return nil, err
	}
	if len(documents) == 0 || documents[0].IsNull() {
		return map[string]any{}, nil
	}
	var r document.Reader
	r.Unrepeated(documents[0])
	params, ok := plain(documents[0]).(map[string]any)
	if !ok {
		r.Errorf(documents[0], "expected parameters as NAME: VALUE")
	}
	return params, r.Err()
}

func parameterValue(name, text string, asText bool) (any, error) {
	if asText || text == "" {
		return text, nil
	}
	documents, err := document.Parse(name, []byte(text))
	if err != nil {
		return nil, fmt.Errorf("%w; use --string-args for a text with such characters", err)
	}
	if len(documents) != 1 {
		return text, nil
	}
	return plain(documents[0]), nil
}

// plain is a node as JSON has it. A date stays the text that it is.
func plain(n *document.Node) any {
	switch n.Kind {
	case document.Map:
		m := map[string]any{}
		for _, f := range n.Fields {
			m[f.Key.Value] = plain(f.Value)
		}
		return m
	case document.List:
		list := make([]any, 0, len(n.Items))
		for _, item := range n.Items {
			list = append(list, plain(item))
		}
		return list
	case document.Null:
		return nil
	}
	switch n.Type {
	case document.Int:
		if v, ok := n.Integer(); ok {
			return v
		}
	case document.Float:
		if v, err := strconv.ParseFloat(n.Value, 64); err == nil && !math.IsInf(v, 0) && !math.IsNaN(v) {
			return v
		}
	case document.Bool:
		if v, ok := n.Boolean(); ok {
			return v
		}
	}
	return n.Value
}

// put sets a value in nested maps.
func put(m map[string]any, path []string, value any) error {
	for _, name := range path[:len(path)-1] {
		below, exists := m[name]
		if !exists {
			below = map[string]any{}
			m[name] = below
		}
		next, ok := below.(map[string]any)
		if !ok {
			return fmt.Errorf("%s has a value of its own already: %w", name, model.ErrInvalid)
		}
		m = next
	}
	m[path[len(path)-1]] = value
	return nil
}
