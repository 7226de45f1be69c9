package charm

import (
	"cmp"
	"slices"

	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// config reads the map that holds "options".
func (r *reader) config(n *document.Node) Config {
	var c Config
	r.object(n, "config", document.Fields{
		"options": func(n *document.Node) {
			r.Each(n, "options", func(key, value *document.Node) { c.Options = append(c.Options, r.option(key, value)) })
		},
	})
	slices.SortFunc(c.Options, func(a, b Option) int { return cmp.Compare(a.Name, b.Name) })
	return c
}

func (r *reader) option(key, value *document.Node) Option {
	o := Option{Name: key.Value, Type: StringOption}
	r.object(value, "an option", document.Fields{
		"type": func(n *document.Node) {
			if word := r.Word(n, "type", "string", "int", "float", "boolean", "secret"); word != "" {
				o.Type = OptionType(word)
			}
		},
		"description": func(n *document.Node) { o.Description = r.Text(n, "a description") },
		"default":     func(*document.Node) {},
	})
	written := value.Field("default")
	if written.IsNull() {
		return o
	}
	v, ok := ValueOf(written)
	if !ok {
		r.Errorf(written, "option %q: expected %s, found %v", o.Name, expectation[o.Type], written)
		return o
	}
	typed, err := o.coerce(v)
	if err != nil {
		r.Fail(written.Pos, err)
		return o
	}
	o.Default = &typed
	return o
}
