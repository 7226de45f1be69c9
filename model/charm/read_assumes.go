package charm

import (
	"regexp"

	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

var featurePattern = regexp.MustCompile(`^([a-z][a-z0-9-]*?[a-z0-9]+)(?:\s*(>=|<)\s*([0-9]+(?:\.[0-9A-Za-z-]+)*))?$`)

// assumptions reads a list of features, any-of and all-of.
func (r *reader) assumptions(n *document.Node) []Assumption {
	var all []Assumption
	for _, item := range r.Items(n, "assumptions") {
		switch item.Kind {
		case document.Map:
			all = append(all, r.composite(item))
		case document.Scalar:
			all = append(all, r.feature(item))
		default:
			r.Errorf(item, `expected a feature, "any-of" or "all-of", found %v`, item)
		}
	}
	return all
}

func (r *reader) composite(n *document.Node) Assumption {
	var a Assumption
	r.Object(n, "an assumption", document.Fields{
		"any-of": func(n *document.Node) { a.AnyOf = r.assumptions(n) },
		"all-of": func(n *document.Node) { a.AllOf = r.assumptions(n) },
	})
	if len(n.Fields) != 1 {
		r.Errorf(n, `expected one of "any-of" and "all-of", found %d keys`, len(n.Fields))
	}
	return a
}

func (r *reader) feature(n *document.Node) Assumption {
	m := featurePattern.FindStringSubmatch(n.Value)
	if m == nil {
		r.Errorf(n, `expected a feature such as "juju >= 3.1", found %v`, n)
		return Assumption{}
	}
	return Assumption{Feature: m[1], Bound: m[2], Version: m[3]}
}
