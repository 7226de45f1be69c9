package bundle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// meant are words that operators use for keys which an edit distance does not find.
var meant = map[string]string{
	"config": "options", "settings": "options", "services": "applications", "units": "num_units", "count": "num_units",
	"endpoint-bindings": "bindings", "integrations": "relations",
}

// descriptive are top-level keys that tell of a bundle and change nothing.
var descriptive = []string{
	"type", "title", "summary", "docs", "issues", "source", "website", "links", "maintainer", "maintainers", "license", "variables",
}

// bundle decodes a document; unknown keys at the top are warnings, as in Juju.
func (d *decoder) bundle(root *document.Node) *Bundle {
	b := &Bundle{}
	fields := document.Fields{
		"bundle":       func(n *document.Node) { b.Type = d.Text(n, "a type") },
		"name":         func(n *document.Node) { b.Name = d.Text(n, "a name") },
		"description":  func(n *document.Node) { b.Description = d.Text(n, "a description") },
		"tags":         func(n *document.Node) { b.Tags = d.Strings(n, "tags") },
		"series":       func(n *document.Node) { b.Series = d.Text(n, "a series") },
		"default-base": func(n *document.Node) { b.DefaultBase = d.Text(n, "a base") },
		"relations":    func(n *document.Node) { d.relations(b, n) },
		"saas":         func(n *document.Node) { b.SAAS = d.saas(n) },
		"machines":     func(n *document.Node) { b.Machines = d.machines(n) },
		"applications": func(n *document.Node) {
			d.Each(n, "applications", func(key, value *document.Node) {
				if !value.IsNull() {
					b.Applications = append(b.Applications, d.application(key, value))
				}
			})
		},
	}
	known := fields.Keys()
	for _, key := range descriptive {
		fields[key] = func(*document.Node) {}
	}
	d.Open(root, "a bundle", fields, func(key, _ *document.Node) { d.warn(key, unknownKey(key, "a bundle", known).Error()) })
	slices.SortFunc(b.Applications, func(a, b Application) int { return cmp.Compare(a.Name, b.Name) })
	return b
}

func (d *decoder) warn(n *document.Node, message string) {
	w := Warning{At: n.Pos, Message: message + "; it is ignored"}
	if !slices.Contains(d.warnings, w) {
		d.warnings = append(d.warnings, w)
	}
}

func unknownKey(key *document.Node, what string, known []string) error {
	if word, ok := meant[key.Value]; ok && slices.Contains(known, word) {
		return document.UnknownKeyMeaning(key, what, word)
	}
	return document.UnknownKey(key, what, known)
}

// object reads a map; keys that begin with "_" are private to other tools.
func (d *decoder) object(n *document.Node, what string, fields document.Fields) {
	known := fields.Keys()
	d.Open(n, what, fields, func(key, _ *document.Node) {
		if strings.HasPrefix(key.Value, "_") {
			d.warn(key, fmt.Sprintf("private key %q in %s", key.Value, what))
			return
		}
		d.Fail(key.Pos, unknownKey(key, what, known))
	})
}

func (d *decoder) application(key, value *document.Node) Application {
	a := Application{}
	var err error
	if a.Name, err = model.ParseApplicationName(key.Value); err != nil {
		d.Fail(key.Pos, err)
	}
	var units, scale, to, placement *document.Node
	d.object(value, "an application", document.Fields{
		"charm":             func(n *document.Node) { a.Charm = d.charm(n) },
		"channel":           func(n *document.Node) { a.Channel = d.Text(n, "a channel") },
		"revision":          func(n *document.Node) { a.Revision = d.number(n, "revision") },
		"series":            func(n *document.Node) { a.Series = d.Text(n, "a series") },
		"base":              func(n *document.Node) { a.Base = d.Text(n, "a base") },
		"num_units":         func(n *document.Node) { units, a.Units = n, d.number(n, "num_units") },
		"scale":             func(n *document.Node) { scale, a.Units = n, d.number(n, "scale") },
		"to":                func(n *document.Node) { to = n; d.to(&a, n) },
		"placement":         func(n *document.Node) { placement, a.Selector = n, d.Text(n, "labels") },
		"options":           func(n *document.Node) { a.Options = d.options(n) },
		"constraints":       func(n *document.Node) { a.Constraints = d.constraints(n) },
		"expose":            func(n *document.Node) { a.Expose = d.flag(n, "expose") },
		"trust":             func(n *document.Node) { a.Trust = d.flag(n, "trust") },
		"annotations":       func(n *document.Node) { a.Annotations = d.texts(n, "annotations") },
		"storage":           func(n *document.Node) { a.Storage = d.texts(n, "storage") },
		"devices":           func(n *document.Node) { a.Devices = d.texts(n, "devices") },
		"bindings":          func(n *document.Node) { a.Bindings = d.texts(n, "bindings") },
		"resources":         func(n *document.Node) { a.Resources = d.resources(n) },
		"offers":            func(n *document.Node) { a.Offers = d.offers(n) },
		"exposed-endpoints": func(n *document.Node) { a.ExposedEndpoints = d.exposedEndpoints(n) },
		"plan":              func(n *document.Node) { a.Plan = d.Text(n, "a plan") },
	})
	if !units.IsNull() && !scale.IsNull() {
		d.Errorf(scale, "application %q: expected num_units or scale, found both", a.Name)
	}
	if a.Selector != "" && !d.kubernetes {
		d.Errorf(placement, "application %q: placement is for bundles of the type kubernetes; expected the key %q", a.Name, "to")
	}
	if !to.IsNull() && !placement.IsNull() {
		d.Errorf(placement, "application %q: expected placement or to, found both", a.Name)
	}
	return a
}

func (d *decoder) charm(n *document.Node) CharmRef {
	text := d.Text(n, "a charm")
	if text == "" {
		return CharmRef{}
	}
	ref, err := ParseCharmRef(text)
	if err != nil {
		d.Fail(n.Pos, err)
	}
	return ref
}

func (d *decoder) number(n *document.Node, what string) *int {
	if n.IsNull() {
		return nil
	}
	v := d.Int(n, what)
	return &v
}

func (d *decoder) flag(n *document.Node, what string) *bool {
	if n.IsNull() {
		return nil
	}
	v := d.Bool(n, what)
	return &v
}

// to reads placements, or a Kubernetes bundle's one selector of nodes.
func (d *decoder) to(a *Application, n *document.Node) {
	items := d.Items(n, "placements")
	for _, item := range items {
		text := d.Text(item, "a placement")
		switch {
		case d.kubernetes && len(items) > 1:
			d.Errorf(n, "application %q: expected one selector of nodes, found %d", a.Name, len(items))
			return
		case d.kubernetes:
			a.Selector = text
		default:
			p, err := ParsePlacement(text)
			if err != nil {
				d.Fail(item.Pos, err)
				continue
			}
			a.To = append(a.To, p)
		}
	}
}

// options reads settings; an option without a value is as if not written.
func (d *decoder) options(n *document.Node) charm.Settings {
	settings := charm.Settings{}
	d.Each(n, "options", func(key, value *document.Node) {
		if value.IsNull() {
			return
		}
		v, ok := charm.ValueOf(value)
		if !ok {
			d.Errorf(value, "option %q: expected a text, a number, true or false, found %v", key.Value, value)
			return
		}
		settings[key.Value] = v
	})
	if len(settings) == 0 {
		return nil
	}
	return settings
}

func (d *decoder) constraints(n *document.Node) *model.Constraints {
	if n.IsNull() {
		return nil
	}
	c, err := model.ParseConstraints(d.Text(n, "constraints such as cores=2 mem=4G"))
	if err != nil {
		d.Fail(n.Pos, err)
	}
	return &c
}

func (d *decoder) texts(n *document.Node, what string) map[string]string {
	texts := map[string]string{}
	d.Each(n, what, func(key, value *document.Node) { texts[key.Value] = d.Text(value, "a text for "+key.Value) })
	return nonEmpty(texts)
}

func (d *decoder) machines(n *document.Node) []Machine {
	var all []Machine
	d.Each(n, "machines", func(key, value *document.Node) {
		m := Machine{}
		var err error
		if m.Name, err = model.ParseMachineName(key.Value); err != nil {
			d.Fail(key.Pos, err)
		}
		d.object(value, "a machine", document.Fields{
			"constraints": func(n *document.Node) { m.Constraints = d.constraints(n) },
			"series":      func(n *document.Node) { m.Series = d.Text(n, "a series") },
			"base":        func(n *document.Node) { m.Base = d.Text(n, "a base") },
			"annotations": func(n *document.Node) { m.Annotations = d.texts(n, "annotations") },
		})
		all = append(all, m)
	})
	slices.SortFunc(all, compareMachines)
	return all
}

// relations reads pairs. The second end, or the first, may be a list: the one
// is then related to each of the many.
func (d *decoder) relations(b *Bundle, n *document.Node) {
	for _, relation := range d.Items(n, "relations") {
		if relation.Kind != document.List || len(relation.Items) != 2 {
			d.Errorf(relation, "expected a relation as a list of two endpoints, found %s", shape(relation))
			continue
		}
		for _, left := range d.ends(relation.Items[0]) {
			for _, right := range d.ends(relation.Items[1]) {
				b.Relations = append(b.Relations, Relation{left, right})
				b.relationsAt = append(b.relationsAt, relation.Pos)
			}
		}
	}
}

func (d *decoder) ends(n *document.Node) []model.EndpointRef {
	items := []*document.Node{n}
	if n.Kind == document.List {
		items = n.Items
	}
	var refs []model.EndpointRef
	for _, item := range items {
		if item.Kind != document.Scalar {
			d.Errorf(item, `expected an endpoint such as "app" or "app:endpoint", found %v`, item)
			continue
		}
		ref, err := model.ParseEndpointRef(item.Value)
		if err != nil {
			d.Fail(item.Pos, err)
			continue
		}
		refs = append(refs, ref)
	}
	return refs
}
