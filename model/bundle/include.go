package bundle

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

var includes = []struct {
	prefix string
	encode func([]byte) string
}{
	{"include-file://", func(b []byte) string { return string(b) }},
	{"include-base64://", base64.StdEncoding.EncodeToString},
}

// includes replaces the texts of options and annotations that name a file by
// the file's contents.
func (d *decoder) includes(root *document.Node) *document.Node {
	for _, section := range []string{"applications", "machines"} {
		root = d.within(root, section, func(all *document.Node) *document.Node {
			return d.values(all, func(one *document.Node) *document.Node {
				one = d.within(one, "options", func(n *document.Node) *document.Node { return d.values(n, d.include) })
				return d.within(one, "annotations", func(n *document.Node) *document.Node { return d.values(n, d.include) })
			})
		})
	}
	return root
}

// within changes the value of one key, where it is a map.
func (d *decoder) within(n *document.Node, key string, change func(*document.Node) *document.Node) *document.Node {
	for _, f := range n.Fields {
		if f.Key.Value == key && f.Value.Kind == document.Map {
			if changed := change(f.Value); changed != f.Value {
				return n.With(f.Key, changed)
			}
		}
	}
	return n
}

// values changes every value of a map.
func (d *decoder) values(n *document.Node, change func(*document.Node) *document.Node) *document.Node {
	for _, f := range n.Fields {
		if changed := change(f.Value); changed != f.Value {
			n = n.With(f.Key, changed)
		}
	}
	return n
}

func (d *decoder) include(n *document.Node) *document.Node {
	for _, in := range includes {
		name, ok := strings.CutPrefix(n.Value, in.prefix)
		if !ok || n.Kind != document.Scalar {
			continue
		}
		data, err := d.readFile(name)
		if err != nil {
			d.Errorf(n, "include %q: %w", n.Value, err)
			return n
		}
		text := in.encode(data)
		if !utf8.ValidString(text) {
			d.Errorf(n, "include %q: expected UTF-8 text, found other bytes; use include-base64://", n.Value)
			return n
		}
		included := *n
		included.Value, included.Type = text, document.Text
		return &included
	}
	return n
}

func (d *decoder) readFile(name string) ([]byte, error) {
	name = path.Clean(name)
	if d.dir == nil || !fs.ValidPath(name) {
		return nil, errors.New("expected a path inside the bundle's directory")
	}
	data, err := fs.ReadFile(d.dir, name)
	var failed *fs.PathError
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return data, err
}
