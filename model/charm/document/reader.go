package document

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// Reader turns nodes into Go's values and collects what is wrong with them.
// After a mistake it returns the zero value and goes on, so that one run over
// a file finds all of its mistakes. The zero Reader is ready.
type Reader struct {
	mistakes []mistake
}

type mistake struct {
	at  model.Position
	err error
}

// Fields says what to do with the value of each key that a map may have.
type Fields map[string]func(*Node)

// Errorf adds a mistake at a node.
func (r *Reader) Errorf(n *Node, format string, args ...any) {
	r.Fail(n.Pos, fmt.Errorf(format, args...))
}

// Fail adds a mistake at a position; the zero position is not printed.
func (r *Reader) Fail(at model.Position, err error) {
	switch {
	case at != model.Position{}:
		err = model.At(at, err)
	case model.Class(err) == nil:
		err = fmt.Errorf("%w: %w", err, model.ErrInvalid)
	}
	r.mistakes = append(r.mistakes, mistake{at: at, err: err})
}

// Err joins the mistakes in the order of their positions; nil where there are none.
func (r *Reader) Err() error {
	slices.SortStableFunc(r.mistakes, func(a, b mistake) int {
		return cmp.Or(cmp.Compare(a.at.File, b.at.File), cmp.Compare(a.at.Line, b.at.Line), cmp.Compare(a.at.Column, b.at.Column),
			cmp.Compare(a.err.Error(), b.err.Error()))
	})
	// What an alias repeats is one mistake.
	r.mistakes = slices.CompactFunc(r.mistakes, func(a, b mistake) bool { return a.err.Error() == b.err.Error() })
	errs := make([]error, len(r.mistakes))
	for i, m := range r.mistakes {
		errs[i] = m.err
	}
	return errors.Join(errs...)
}

// Text reads any scalar as it is written, as Juju does for a bundle's texts.
func (r *Reader) Text(n *Node, what string) string {
	if n.IsNull() {
		return ""
	}
	if n.Kind != Scalar {
		r.Errorf(n, "expected %s, found %v", what, n)
		return ""
	}
	return n.Value
}

// String reads a text; a bare number or boolean is a mistake, as in Juju's metadata.
func (r *Reader) String(n *Node, what string) string {
	if n.IsNull() {
		return ""
	}
	if n.Kind != Scalar || n.Type != Text {
		r.Errorf(n, "expected %s, found %v", what, n)
		return ""
	}
	return n.Value
}

// Bool reads a boolean.
func (r *Reader) Bool(n *Node, what string) bool {
	if n.IsNull() {
		return false
	}
	v, ok := n.Boolean()
	if !ok {
		r.Errorf(n, "expected true or false for %s, found %v", what, n)
	}
	return v
}

// Int reads an integer that an int holds.
func (r *Reader) Int(n *Node, what string) int {
	if n.IsNull() {
		return 0
	}
	v, ok := n.Integer()
	if !ok || int64(int(v)) != v {
		r.Errorf(n, "expected a whole number for %s, found %v", what, n)
		return 0
	}
	return int(v)
}

// Items reads a list.
func (r *Reader) Items(n *Node, what string) []*Node {
	if n.IsNull() {
		return nil
	}
	if n.Kind != List {
		r.Errorf(n, "expected a list of %s, found %v", what, n)
	}
	return n.Items
}

// Strings reads a list of scalars.
func (r *Reader) Strings(n *Node, what string) []string {
	var texts []string
	for _, item := range r.Items(n, what) {
		if item.Kind != Scalar {
			r.Errorf(item, "expected a list of %s, found %v in it", what, item)
			continue
		}
		texts = append(texts, item.Value)
	}
	return texts
}

// Word reads one of the known words; "" where nothing is written.
func (r *Reader) Word(n *Node, what string, known ...string) string {
	if n.IsNull() {
		return ""
	}
	if n.Kind != Scalar || !slices.Contains(known, n.Value) {
		r.Errorf(n, "expected %s for %s, found %v%s", either(known), what, n, model.DidYouMean(n.Value, known))
		return ""
	}
	return n.Value
}

// Each calls visit for every entry of a map, in the order of the file.
func (r *Reader) Each(n *Node, what string, visit func(key, value *Node)) {
	if n.IsNull() {
		return
	}
	if n.Kind != Map {
		r.Errorf(n, "expected a map of %s, found %v", what, n)
		return
	}
	for _, f := range n.Fields {
		visit(f.Key, f.Value)
	}
}

// Object reads a map whose keys are known; any other key is a mistake.
func (r *Reader) Object(n *Node, what string, fields Fields) {
	known := fields.Keys()
	r.Open(n, what, fields, func(key, _ *Node) { r.Fail(key.Pos, UnknownKey(key, what, known)) })
}

// Open reads a map whose unknown keys are left to other.
func (r *Reader) Open(n *Node, what string, fields Fields, other func(key, value *Node)) {
	if !n.IsNull() && n.Kind != Map {
		r.Errorf(n, "expected %s as a map, found %v", what, n)
		return
	}
	r.Each(n, what, func(key, value *Node) {
		if read, ok := fields[key.Value]; ok {
			read(value)
			return
		}
		other(key, value)
	})
}

// Tolerate leaves a key to other tools.
func Tolerate(_, _ *Node) {}

// Keys returns the known keys in order.
func (f Fields) Keys() []string {
	keys := make([]string, 0, len(f))
	for k := range f {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// UnknownKey says that a key means nothing here, and which word is nearest.
func UnknownKey(key *Node, what string, known []string) error {
	hint := model.DidYouMean(key.Value, known)
	if hint == "" {
		hint = "; expected one of " + strings.Join(known, ", ")
	}
	return fmt.Errorf("unknown key %q in %s%s", key.Value, what, hint)
}

// UnknownKeyMeaning says that a key means nothing here and which one is meant.
func UnknownKeyMeaning(key *Node, what, meant string) error {
	return fmt.Errorf("unknown key %q in %s; did you mean %q?", key.Value, what, meant)
}

// Unrepeated reports every key under n that is written twice in one map.
func (r *Reader) Unrepeated(n *Node) {
	r.unrepeated(n, map[*Node]bool{})
}

func (r *Reader) unrepeated(n *Node, seen map[*Node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	for _, key := range n.Repeats {
		r.Errorf(key, "key %q is written twice in this map; keep one", key.Value)
	}
	for _, item := range n.Items {
		r.unrepeated(item, seen)
	}
	for _, f := range n.Fields {
		r.unrepeated(f.Value, seen)
	}
}

func either(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
