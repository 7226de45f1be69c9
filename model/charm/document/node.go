package document

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// Kind is the shape of a node.
type Kind uint8

// The shapes of YAML values.
const (
	Null Kind = iota
	Scalar
	List
	Map
)

// Type is what YAML takes a scalar for.
type Type uint8

// The types of scalars. A date is Text: neither bundles nor charms have dates.
const (
	Text Type = iota
	Int
	Float
	Bool
)

// Node is one value of a document. Nodes that an alias repeats are shared, so
// none is changed after Parse.
type Node struct {
	Pos     model.Position
	Kind    Kind
	Type    Type    // of a scalar
	Value   string  // of a scalar, unquoted
	Items   []*Node // of a list
	Fields  []Field // of a map: in the order of the file, the last of equal keys
	Repeats []*Node // the keys of a map that were written before
	size    int     // nodes underneath and this one, aliases expanded
}

// Field is one entry of a map.
type Field struct {
	Key   *Node
	Value *Node
}

// Field returns the value of a key, or nil where n has none.
func (n *Node) Field(key string) *Node {
	if n == nil {
		return nil
	}
	for _, f := range n.Fields {
		if f.Key.Value == key {
			return f.Value
		}
	}
	return nil
}

// With returns a copy of a map node with the key set to value, or without the
// key where value is nil. A key that is there keeps its place.
func (n *Node) With(key, value *Node) *Node {
	changed := *n
	changed.Kind = Map
	changed.Fields = make([]Field, 0, len(n.Fields)+1)
	placed := false
	for _, f := range n.Fields {
		if f.Key.Value != key.Value {
			changed.Fields = append(changed.Fields, f)
			continue
		}
		placed = true
		if value != nil {
			changed.Fields = append(changed.Fields, Field{Key: key, Value: value})
		}
	}
	if !placed && value != nil {
		changed.Fields = append(changed.Fields, Field{Key: key, Value: value})
	}
	return &changed
}

// IsNull reports whether nothing is written: no node, or an empty one.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Null }

// String describes the node for a message: the text "x", a list.
func (n *Node) String() string {
	switch {
	case n.IsNull():
		return "nothing"
	case n.Kind == List:
		return "a list"
	case n.Kind == Map:
		return "a map"
	}
	switch n.Type {
	case Int, Float:
		return "the number " + n.Value
	case Bool:
		return "the boolean " + n.Value
	default:
		return fmt.Sprintf("the text %q", n.Value)
	}
}

// Integer returns the value of an integer in any of YAML's notations.
func (n *Node) Integer() (int64, bool) {
	if n.IsNull() || n.Kind != Scalar || n.Type != Int {
		return 0, false
	}
	v, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64)
	return v, err == nil
}

// Number returns the value of an integer or a finite float.
func (n *Node) Number() (float64, bool) {
	if v, ok := n.Integer(); ok {
		return float64(v), true
	}
	if n.IsNull() || n.Kind != Scalar || n.Type == Bool || n.Type == Text {
		return 0, false
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), 64)
	return v, err == nil
}

// Boolean returns the value of a boolean. The words of YAML 1.1, which Juju
// reads, count when they are written where a boolean is expected.
func (n *Node) Boolean() (value, ok bool) {
	if n.IsNull() || n.Kind != Scalar {
		return false, false
	}
	switch strings.ToLower(n.Value) {
	case "true", "yes", "on":
		return true, true
	case "false", "no", "off":
		return false, true
	}
	return false, false
}
