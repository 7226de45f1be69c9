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
	schema, err := a.parameters()
	if err != nil {
		return nil, err
	}
	object := map[string]json.RawMessage{}
	for name, p := range schema.Properties {
		if p.Default != nil {
			object[name] = p.Default
		}
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		value, typed := parameter(schema.Properties[name].Type, texts[name])
		errs = append(errs, schema.given(a.Name, name, strconv.Quote(texts[name]), value, typed))
		object[name] = value
	}
	if err := errors.Join(append(errs, schema.missing(a.Name, object))...); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

// Check reports every mistake in parameters that have their types already, as
// YAML or JSON gives them.
func (a Action) Check(values map[string]any) error {
	schema, err := a.parameters()
	if err != nil {
		return err
	}
	object := map[string]json.RawMessage{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value, err := json.Marshal(values[name])
		if err != nil {
			return fmt.Errorf("action %q: parameter %q: %w: %w", a.Name, name, err, model.ErrInvalid)
		}
		errs = append(errs, schema.given(a.Name, name, string(value), value, isJSON(schema.Properties[name].Type, string(value))))
		object[name] = value
	}
	for name, p := range schema.Properties {
		if _, given := object[name]; !given && p.Default != nil {
			object[name] = p.Default
		}
	}
	return errors.Join(append(errs, schema.missing(a.Name, object))...)
}

func (a Action) parameters() (schema parameters, err error) {
	if len(a.Schema) == 0 {
		return schema, nil
	}
	if err := json.Unmarshal(a.Schema, &schema); err != nil {
		return schema, fmt.Errorf("action %q: schema of its parameters: %w: %w", a.Name, err, model.ErrInvalid)
	}
	return schema, nil
}

// given checks one parameter, which was found as it is to be named.
func (s parameters) given(action, name, found string, value json.RawMessage, typed bool) error {
	p, ok := s.Properties[name]
	switch {
	case !ok && s.Additional != true:
		known := slices.Sorted(maps.Keys(s.Properties))
		return fmt.Errorf("action %q: unknown parameter %q%s: %w", action, name, model.DidYouMean(name, known), model.ErrInvalid)
	case !typed:
		return fmt.Errorf("action %q: parameter %q: expected %v, found %s: %w", action, name, p.Type, found, model.ErrInvalid)
	case len(p.Enum) > 0 && !slices.ContainsFunc(p.Enum, func(v json.RawMessage) bool { return string(v) == string(value) }):
		return fmt.Errorf("action %q: parameter %q: expected one of %s, found %s: %w", action, name, p.Enum, found, model.ErrInvalid)
	}
	return nil
}

func (s parameters) missing(action string, object map[string]json.RawMessage) error {
	var errs []error
	for _, name := range s.Required {
		if object[name] == nil {
			errs = append(errs, fmt.Errorf("action %q: expected the parameter %q, found none: %w", action, name, model.ErrInvalid))
		}
	}
	return errors.Join(errs...)
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

// isJSON reports whether a JSON text is of a schema's type; without one, or
// with several, any is.
func isJSON(schemaType any, text string) bool {
	if _, one := schemaType.(string); !one {
		return true
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return false
	}
	switch v := v.(type) {
	case []any:
		return schemaType == "array"
	case map[string]any:
		return schemaType == "object"
	case nil:
		return schemaType == "null"
	case string:
		return schemaType == "string"
	case bool:
		return schemaType == "boolean"
	case float64:
		return schemaType == "number" || schemaType == "integer" && v == math.Trunc(v)
	}
	return false
}
