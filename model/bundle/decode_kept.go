package bundle

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// What is read here is kept and written again, and refused by Unsupported.

func (d *decoder) saas(n *document.Node) []SAAS {
	var all []SAAS
	d.Each(n, "saas", func(key, value *document.Node) {
		s := SAAS{}
		var err error
		if s.Name, err = model.ParseApplicationName(key.Value); err != nil {
			d.Fail(key.Pos, err)
		}
		d.object(value, "a saas", document.Fields{
			"url": func(n *document.Node) { s.URL = d.Text(n, "an offer's URL") },
		})
		if !value.IsNull() {
			all = append(all, s)
		}
	})
	slices.SortFunc(all, func(a, b SAAS) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (d *decoder) resources(n *document.Node) map[string]Resource {
	all := map[string]Resource{}
	d.Each(n, "resources", func(key, value *document.Node) {
		if value.IsNull() {
			return
		}
		if v, ok := value.Integer(); ok && int64(int(v)) == v {
			revision := int(v)
			all[key.Value] = Resource{Revision: &revision}
			return
		}
		if value.Kind != document.Scalar || value.Type != document.Text {
			d.Errorf(value, "resource %q: expected a revision or a path, found %v", key.Value, value)
			return
		}
		all[key.Value] = Resource{Path: value.Value}
	})
	return nonEmpty(all)
}

func (d *decoder) offers(n *document.Node) map[string]Offer {
	all := map[string]Offer{}
	d.Each(n, "offers", func(key, value *document.Node) {
		if _, err := model.ParseApplicationName(key.Value); err != nil {
			d.Errorf(key, "offer name %q: expected lower case words joined by dashes, the last not a number", key.Value)
		}
		var o Offer
		d.object(value, "an offer", document.Fields{
			"endpoints": func(n *document.Node) {
				for i, name := range d.Strings(n, "endpoints") {
					if _, err := model.ParseEndpointName(name); err != nil {
						d.Fail(n.Items[min(i, len(n.Items)-1)].Pos, err)
					}
					o.Endpoints = append(o.Endpoints, name)
				}
			},
			"acl": func(n *document.Node) { o.ACL = d.texts(n, "users") },
		})
		all[key.Value] = o
	})
	return nonEmpty(all)
}

func (d *decoder) exposedEndpoints(n *document.Node) map[string]ExposedEndpoint {
	all := map[string]ExposedEndpoint{}
	d.Each(n, "exposed endpoints", func(key, value *document.Node) {
		var e ExposedEndpoint
		d.object(value, "an exposed endpoint", document.Fields{
			"expose-to-spaces": func(n *document.Node) { e.Spaces = d.Strings(n, "spaces") },
			"expose-to-cidrs":  func(n *document.Node) { e.CIDRs = d.Strings(n, "CIDRs") },
		})
		all[key.Value] = e
	})
	return nonEmpty(all)
}

// shape describes a node that is not a pair.
func shape(n *document.Node) string {
	if n.Kind == document.List {
		return fmt.Sprintf("a list of %d", len(n.Items))
	}
	return n.String()
}

// nonEmpty makes an empty map nil, so that no map and an empty one are equal.
func nonEmpty[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}
