package charm

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/gantry-orchestrator/gantry/model"
)

// parameters is what Params reads of an action's JSON schema.
type parameters struct {
	Properties map[string]struct {
		Type    any               `json:"type"`
		Default json.RawMessage   `json:"default"`
		Enum    []json.RawMessage `json:"enum"`
	} `json:"properties"`
	Required   []string `json:"required"`
	Additional any      `json:"additionalProperties"`
}

// Params reads texts, as a command line gives them, into the JSON object that
// the action takes, with its defaults. A parameter that the action does not
// have is a mistake unless its schema says "additionalProperties: true". The
// error lists every mistake.
func (a Action) Params(texts map[string]string) (json.RawMessage, error) {
	var schema parameters
	if err := json.Unmarshal(a.Schema, &schema); err != nil {
		return nil, fmt.Errorf("action %q: schema of its parameters: %w: %w", a.Name, err, model.ErrInvalid)
	}
	known := slices.Sorted(maps.Keys(schema.Properties))
	object := map[string]json.RawMessage{}
	for name, p := range schema.Properties {
		if p.Default != nil {
			object[name] = p.Default
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		p, ok := schema.Properties[name]
		if !ok && schema.Additional != true {
			errs = append(errs, fmt.Errorf("action %q: unknown parameter %q%s: %w", a.Name, name, model.DidYouMean(name, known), model.ErrInvalid))
			continue
		}
		value, ok := parameter(p.Type, texts[name])
		if !ok {
			errs = append(errs, fmt.Errorf("action %q: parameter %q: expected %v, found %q: %w", a.Name, name, p.Type, texts[name], model.ErrInvalid))
			continue
		}
		if len(p.Enum) > 0 && !slices.ContainsFunc(p.Enum, func(v json.RawMessage) bool { return string(v) == string(value) }) {
			errs = append(errs, fmt.Errorf("action %q: parameter %q: expected one of %s, found %q: %w", a.Name, name, p.Enum, texts[name], model.ErrInvalid))
			continue
		}
		object[name] = value
	}
	for _, name := range schema.Required {
		if _, given := texts[name]; !given && object[name] == nil {
			errs = append(errs, fmt.Errorf("action %q: expected the parameter %q, found none: %w", a.Name, name, model.ErrInvalid))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// parameter reads a text as a JSON schema's type; without one it is a text.
func parameter(schemaType any, text string) (json.RawMessage, bool) {
	var value any = text
	var err error
	switch schemaType {
	case "integer":
		value, err = strconv.ParseInt(text, 10, 64)
	case "number":
		f, parseErr := strconv.ParseFloat(text, 64)
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, false
		}
		value, err = f, parseErr
	case "boolean":
		value, err = strconv.ParseBool(text)
	case "array", "object", "null":
		return json.RawMessage(text), isJSON(schemaType, text)
	}
	if err != nil {
		return nil, false
	}
	data, err := json.Marshal(value)
	return data, err == nil
}

func isJSON(schemaType any, text string) bool {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return false
	}
	switch v.(type) {
	case []any:
		return schemaType == "array"
	case map[string]any:
		return schemaType == "object"
	case nil:
		return schemaType == "null"
	default:
		return false
	}
}
