package charm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// ValueKind is which of the four types a Value has.
type ValueKind uint8

// The types of configuration values.
const (
	StringKind ValueKind = iota
	IntKind
	FloatKind
	BoolKind
)

// Value is one configuration value: a string, an int64, a finite float64 or a
// bool. Values compare with ==. Its JSON is canonical: equal values have equal
// bytes, and a float always has a point or an exponent, so that the type
// survives. The zero Value is the empty string.
type Value struct {
	kind    ValueKind
	text    string
	integer int64
	float   float64
	boolean bool
}

// StringValue makes a string.
func StringValue(s string) Value { return Value{kind: StringKind, text: s} }

// IntValue makes an integer.
func IntValue(i int64) Value { return Value{kind: IntKind, integer: i} }

// FloatValue makes a float; f is finite.
func FloatValue(f float64) Value {
	if f == 0 {
		f = 0 // -0 too: it equals 0 and so must its bytes
	}
	return Value{kind: FloatKind, float: f}
}

// BoolValue makes a boolean.
func BoolValue(b bool) Value { return Value{kind: BoolKind, boolean: b} }

// ValueOf reads a scalar of a document; ok is false for everything else.
func ValueOf(n *document.Node) (v Value, ok bool) {
	if n.IsNull() || n.Kind != document.Scalar {
		return Value{}, false
	}
	switch n.Type {
	case document.Int:
		i, ok := n.Integer()
		return IntValue(i), ok
	case document.Float:
		f, ok := n.Number()
		return FloatValue(f), ok && !math.IsInf(f, 0) && !math.IsNaN(f)
	case document.Bool:
		b, ok := n.Boolean()
		return BoolValue(b), ok
	default:
		return StringValue(n.Value), true
	}
}

// Kind returns the type of the value.
func (v Value) Kind() ValueKind { return v.kind }

// Text returns a string's text; "" for another type.
func (v Value) Text() string { return v.text }

// Int returns an integer; 0 for another type.
func (v Value) Int() int64 { return v.integer }

// Float returns a float; 0 for another type.
func (v Value) Float() float64 { return v.float }

// Bool returns a boolean; false for another type.
func (v Value) Bool() bool { return v.boolean }

// Any returns the value as a string, int64, float64 or bool.
func (v Value) Any() any {
	switch v.kind {
	case IntKind:
		return v.integer
	case FloatKind:
		return v.float
	case BoolKind:
		return v.boolean
	default:
		return v.text
	}
}

// String writes the value as an operator would type it.
func (v Value) String() string {
	switch v.kind {
	case IntKind:
		return strconv.FormatInt(v.integer, 10)
	case FloatKind:
		s := strconv.FormatFloat(v.float, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case BoolKind:
		return strconv.FormatBool(v.boolean)
	default:
		return v.text
	}
}

// describe writes the value with its type, for messages.
func (v Value) describe() string {
	switch v.kind {
	case IntKind, FloatKind:
		return "the number " + v.String()
	case BoolKind:
		return "the boolean " + v.String()
	default:
		return fmt.Sprintf("the text %q", v.text)
	}
}

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.kind == StringKind {
		return json.Marshal(v.text)
	}
	return []byte(v.String()), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Value) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	var err error
	switch {
	case len(data) > 0 && data[0] == '"':
		*v = Value{}
		err = json.Unmarshal(data, &v.text)
	case string(data) == "true", string(data) == "false":
		*v = BoolValue(data[0] == 't')
	case bytes.ContainsAny(data, ".eE"):
		*v = Value{kind: FloatKind}
		v.float, err = strconv.ParseFloat(string(data), 64)
	default:
		*v = Value{kind: IntKind}
		v.integer, err = strconv.ParseInt(string(data), 10, 64)
	}
	if err != nil {
		return fmt.Errorf("configuration value %s: expected a JSON string, number or boolean: %w", data, model.ErrInvalid)
	}
	return nil
}

// MarshalBinary implements encoding.BinaryMarshaler with the canonical JSON,
// for encoders such as CBOR that do not ask for JSON.
func (v Value) MarshalBinary() ([]byte, error) { return v.MarshalJSON() }

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (v *Value) UnmarshalBinary(data []byte) error { return v.UnmarshalJSON(data) }
