package charm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// meta reads metadata; extra are the further keys of the unified forms.
func (r *reader) meta(root *document.Node, extra document.Fields) Meta {
	var m Meta
	r.charm = nameIn(root)
	fields := document.Fields{
		"name":        func(n *document.Node) { m.Name = r.name(n) },
		"summary":     func(n *document.Node) { m.Summary = r.String(n, "a summary") },
		"description": func(n *document.Node) { m.Description = r.String(n, "a description") },
		"subordinate": func(n *document.Node) { m.Subordinate = r.Bool(n, "subordinate") },
		"assumes":     func(n *document.Node) { m.Assumes = r.assumptions(n) },
		"series":      func(n *document.Node) { m.Series = r.Strings(n, "series") },
		"tags":        func(n *document.Node) { m.Tags = r.Strings(n, "tags") },
		"categories":  func(n *document.Node) { m.Categories = r.Strings(n, "categories") },
		"terms":       func(n *document.Node) { m.Terms = r.Strings(n, "terms") },
		"resources":   func(n *document.Node) { m.Resources = r.resources(n) },
		"storage":     func(n *document.Node) { m.Storage = r.storage(n) },
		"devices":     func(n *document.Node) { m.Devices = r.devices(n) },
		"charm-user": func(n *document.Node) {
			m.User = r.Word(n, "charm-user", "root", "sudoer", "non-root")
		},
		"title":        func(n *document.Node) { m.Title = r.title(n, m.Title) },
		"display-name": func(n *document.Node) { m.Title = r.title(n, m.Title) },
		"maintainers": func(n *document.Node) {
			m.Maintainers = append(m.Maintainers, r.Strings(n, "maintainers")...)
		},
		"maintainer": func(n *document.Node) {
			m.Maintainers = append(m.Maintainers, r.Text(n, "a maintainer"))
		},
		"type": func(n *document.Node) { r.Word(n, "type", "charm") },
		// What needs other sections, or is read by all of them at once.
		"containers": func(*document.Node) {}, "extra-bindings": func(*document.Node) {}, "bases": func(*document.Node) {},
		"provides": func(*document.Node) {}, "requires": func(*document.Node) {}, "peers": func(*document.Node) {},
		"links": func(*document.Node) {},
	}
	maps.Copy(fields, extra)
	r.object(root, "a charm", fields)
	m.Containers = r.containers(root.Field("containers"), m)
	m.Bases = r.bases(root)
	m.Endpoints = r.endpoints(root, m.Subordinate)
	m.ExtraBindings = r.bindings(root.Field("extra-bindings"), m)
	r.checkMeta(root, m)
	return m
}

func (r *reader) name(n *document.Node) model.CharmName {
	text := r.String(n, "a charm's name")
	if text == "" {
		return ""
	}
	if _, err := model.ParseApplicationName(text); err != nil {
		r.Errorf(n, "charm name %q: expected lower case words joined by dashes, the last not a number", text)
	}
	return model.CharmName(text)
}

func (r *reader) title(n *document.Node, already string) string {
	if text := r.String(n, "a title"); text != "" {
		return text
	}
	return already
}

// checkMeta reports what is missing. Juju demands a description too.
func (r *reader) checkMeta(root *document.Node, m Meta) {
	required := []string{"name", "summary"}
	if !r.strict {
		required = append(required, "description")
		r.checkFormat(root)
	}
	for _, key := range required {
		if root.Field(key).IsNull() {
			r.Errorf(root, "expected the key %q, found none", key)
		}
	}
	if m.Subordinate && !slices.ContainsFunc(m.Endpoints, r.joinsPrincipal) {
		where := `under "requires" `
		if r.strict {
			where = ""
		}
		r.Errorf(root.Field("subordinate"), `subordinate charm: expected an endpoint %swith "scope: container", found none`, where)
	}
}

// joinsPrincipal reports whether a subordinate can share a machine over the
// endpoint. To Juju it must be a requirer; a pool that its client requires
// shows that a provider does as well.
func (r *reader) joinsPrincipal(e model.Endpoint) bool {
	return e.Scope == model.ContainerScope && (e.Role == model.Requires || r.strict && e.Role == model.Provides)
}

// checkFormat refuses keys of Juju's metadata v1 beside those of v2, as Juju does.
func (r *reader) checkFormat(root *document.Node) {
	format := map[string]int{"series": 1, "deployment": 1, "min-juju-version": 1, "containers": 2, "assumes": 2, "charm-user": 2}
	var keys []*document.Node
	for _, f := range root.Fields {
		if format[f.Key.Value] != 0 {
			keys = append(keys, f.Key)
		}
	}
	for _, key := range keys {
		if first := keys[0]; format[key.Value] != format[first.Value] {
			r.Errorf(key, "key %q of metadata v%d cannot be used with %q of v%d; remove one",
				key.Value, format[key.Value], first.Value, format[first.Value])
		}
	}
}

var sections = []struct {
	key  string
	role model.Role
}{{"provides", model.Provides}, {"requires", model.Requires}, {"peers", model.Peer}}

// endpoints reads the three sections of endpoints and adds juju-info.
func (r *reader) endpoints(root *document.Node, subordinate bool) []model.Endpoint {
	var all []model.Endpoint
	sectionOf := map[model.EndpointName]string{}
	for _, section := range sections {
		r.Each(root.Field(section.key), "endpoints", func(key, value *document.Node) {
			e := r.endpoint(section.role, key, value)
			if first, taken := sectionOf[e.Name]; taken && first != section.key {
				r.Errorf(key, "endpoint %q is also under %q; give one another name", e.Name, first)
				return
			}
			sectionOf[e.Name] = section.key
			r.checkReserved(key, value, e, subordinate)
			all = append(all, e)
		})
	}
	if _, taken := sectionOf[JujuInfo.Name]; !taken {
		all = append(all, JujuInfo)
	}
	slices.SortFunc(all, func(a, b model.Endpoint) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// endpoint reads one endpoint: its interface alone, or a map.
func (r *reader) endpoint(role model.Role, key, value *document.Node) model.Endpoint {
	name, err := model.ParseEndpointName(key.Value)
	if err != nil {
		r.Fail(key.Pos, err)
		name = model.EndpointName(key.Value)
	}
	e := model.Endpoint{Name: name, Role: role, Scope: model.GlobalScope}
	if value.Kind == document.Scalar {
		e.Interface = model.InterfaceName(r.String(value, "an interface"))
		return e
	}
	r.object(value, "an endpoint", document.Fields{
		"interface":   func(n *document.Node) { e.Interface = model.InterfaceName(r.String(n, "an interface")) },
		"limit":       func(n *document.Node) { e.Limit = r.count(n, "limit") },
		"optional":    func(n *document.Node) { e.Optional = r.Bool(n, "optional") },
		"description": func(n *document.Node) { r.Text(n, "a description") },
		"scope": func(n *document.Node) {
			if word := r.Word(n, "scope", string(model.GlobalScope), string(model.ContainerScope)); word != "" {
				e.Scope = model.Scope(word)
			}
		},
	})
	if value.IsNull() || value.Kind == document.Map && value.Field("interface").IsNull() {
		r.Errorf(key, "endpoint %q: expected an interface, found none", key.Value)
	}
	return e
}

// checkReserved applies Juju's rule on "juju" and "juju-...": only the
// container-scoped requirers of a subordinate may use such a name.
func (r *reader) checkReserved(key, value *document.Node, e model.Endpoint, subordinate bool) {
	if !subordinate || e.Role != model.Requires || e.Scope != model.ContainerScope {
		if r.reserved(string(e.Name)) {
			r.Errorf(key, "endpoint name %q is reserved; expected a name that does not begin with juju", e.Name)
		}
	}
	if e.Role != model.Requires && r.reserved(string(e.Interface)) {
		r.Errorf(value, "interface %q is reserved; expected one that does not begin with juju", e.Interface)
	}
}

func (r *reader) reserved(name string) bool {
	if strings.HasPrefix(r.charm, "juju-") {
		return false
	}
	return name == "juju" || strings.HasPrefix(name, "juju-")
}

func (r *reader) bindings(n *document.Node, m Meta) []string {
	var names []string
	r.Each(n, "extra bindings", func(key, value *document.Node) {
		if !value.IsNull() {
			r.Errorf(value, "extra binding %q: expected nothing after the colon, found %v", key.Value, value)
		}
		if _, taken := m.Endpoint(model.EndpointName(key.Value)); taken && key.Value != string(JujuInfo.Name) {
			r.Errorf(key, "extra binding %q is the name of an endpoint; give it another name", key.Value)
		}
		names = append(names, key.Value)
	})
	if n != nil && n.Kind == document.Map && len(names) == 0 {
		r.Errorf(n, "expected extra bindings, found none")
	}
	slices.Sort(names)
	return names
}

// bases reads Gantry's list of texts and charmcraft's base, bases and platforms.
func (r *reader) bases(root *document.Node) []string {
	var bases []string
	add := func(base string) {
		if base != "" && !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	if base := root.Field("base"); !base.IsNull() && !r.strict {
		add(r.Text(base, "a base"))
	}
	for _, n := range r.Items(root.Field("bases"), "bases") {
		if n.Kind == document.Scalar {
			add(n.Value)
			continue
		}
		for _, runOn := range append([]*document.Node{n}, r.Items(n.Field("run-on"), "bases")...) {
			name, channel := runOn.Field("name"), runOn.Field("channel")
			if !name.IsNull() && !channel.IsNull() {
				add(fmt.Sprintf("%s@%s", name.Value, channel.Value))
			}
		}
	}
	if platforms := root.Field("platforms"); !platforms.IsNull() && !r.strict {
		for _, f := range platforms.Fields {
			if base, _, _ := strings.Cut(f.Key.Value, ":"); strings.Contains(base, "@") {
				add(base)
			}
		}
	}
	return bases
}

// count reads a number that is not negative.
func (r *reader) count(n *document.Node, what string) int {
	v := r.Int(n, what)
	if v < 0 {
		r.Errorf(n, "expected a positive number for %s, found %d", what, v)
		return 0
	}
	return v
}
