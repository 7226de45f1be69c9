package bundle

import (
	"strings"

	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// merge lays one document over another by Juju's rules. It works on what was
// written and not on values, since "options:" with nothing behind it clears
// the options, while no such line keeps them.
func merge(base, overlay *document.Node) *document.Node {
	merged := base
	for _, f := range overlay.Fields {
		switch f.Key.Value {
		case "applications", "saas":
			merged = mergeEntries(merged, f)
		case "relations":
			merged = appendRelations(merged, f)
		case "machines", "series", "default-base":
			if !f.Value.IsNull() {
				merged = merged.With(f.Key, f.Value)
			}
		}
	}
	return merged
}

// mergeEntries merges the named entries of a section; an entry without a body
// is removed together with its relations.
func mergeEntries(base *document.Node, section document.Field) *document.Node {
	entries := base.Field(section.Key.Value)
	if entries.IsNull() {
		entries = &document.Node{Pos: section.Value.Pos, Kind: document.Map}
	}
	for _, f := range section.Value.Fields {
		current := entries.Field(f.Key.Value)
		switch {
		case f.Value.IsNull():
			entries = entries.With(f.Key, nil)
			base = removeRelations(base, f.Key.Value)
		case current == nil:
			entries = entries.With(f.Key, f.Value)
		default:
			entries = entries.With(f.Key, mergeEntry(current, f.Value))
		}
	}
	return base.With(section.Key, entries)
}

// synonyms are keys that stand for one another, so that one replaces the other.
var synonyms = map[string]string{"scale": "num_units", "num_units": "scale", "placement": "to", "to": "placement"}

// mergeEntry merges one application or SAAS: maps key by key, the rest whole.
func mergeEntry(base, overlay *document.Node) *document.Node {
	for _, f := range overlay.Fields {
		if other, ok := synonyms[f.Key.Value]; ok {
			base = base.With(&document.Node{Kind: document.Scalar, Value: other}, nil)
		}
		value := f.Value
		if current := base.Field(f.Key.Value); value.Kind == document.Map && current != nil && current.Kind == document.Map {
			value = mergeMap(current, value)
		}
		base = base.With(f.Key, value)
	}
	return base
}

func mergeMap(base, overlay *document.Node) *document.Node {
	for _, f := range overlay.Fields {
		if f.Value.IsNull() {
			base = base.With(f.Key, nil)
			continue
		}
		base = base.With(f.Key, f.Value)
	}
	return base
}

func appendRelations(base *document.Node, section document.Field) *document.Node {
	all := &document.Node{Pos: section.Value.Pos, Kind: document.List}
	if current := base.Field("relations"); !current.IsNull() {
		all.Pos = current.Pos
		all.Items = append(all.Items, current.Items...)
	}
	all.Items = append(all.Items, section.Value.Items...)
	return base.With(section.Key, all)
}

// removeRelations drops the relations of a removed application.
func removeRelations(base *document.Node, application string) *document.Node {
	current := base.Field("relations")
	if current.IsNull() {
		return base
	}
	kept := *current
	kept.Items = nil
	for _, relation := range current.Items {
		if rest := withoutApplication(relation, application); rest != nil {
			kept.Items = append(kept.Items, rest)
		}
	}
	return base.With(&document.Node{Pos: current.Pos, Kind: document.Scalar, Value: "relations"}, &kept)
}

// withoutApplication returns the relation without the ends of an application,
// or nil where an end is then missing.
func withoutApplication(n *document.Node, application string) *document.Node {
	if n.Kind == document.Scalar {
		if name, _, _ := strings.Cut(n.Value, ":"); name == application {
			return nil
		}
		return n
	}
	rest := *n
	rest.Items = nil
	for _, end := range n.Items {
		if end.Kind == document.Scalar {
			if withoutApplication(end, application) == nil {
				return nil
			}
			rest.Items = append(rest.Items, end)
			continue
		}
		var many []*document.Node
		for _, one := range end.Items {
			if one = withoutApplication(one, application); one != nil {
				many = append(many, one)
			}
		}
		if len(many) == 0 {
			return nil
		}
		some := *end
		some.Items = many
		rest.Items = append(rest.Items, &some)
	}
	return &rest
}
