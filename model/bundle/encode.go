package bundle

import (
	"bytes"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"gopkg.in/yaml.v3"
)

// Encode writes the bundle as YAML that Parse reads back to an equal bundle.
// Equal bundles have equal bytes. What may stand in an overlay only follows in
// a second document.
func Encode(b *Bundle) []byte {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	base, overlay := written(b)
	_ = encoder.Encode(base) // of texts, numbers and maps of them, into memory
	if len(overlay.Applications) > 0 {
		_ = encoder.Encode(overlay)
	}
	_ = encoder.Close()
	return out.Bytes()
}

type bundleYAML struct {
	Type         text                       `yaml:"bundle,omitempty"`
	Name         text                       `yaml:"name,omitempty"`
	Description  text                       `yaml:"description,omitempty"`
	Tags         []text                     `yaml:"tags,omitempty"`
	Series       text                       `yaml:"series,omitempty"`
	DefaultBase  text                       `yaml:"default-base,omitempty"`
	SAAS         map[string]saasYAML        `yaml:"saas,omitempty"`
	Applications map[string]applicationYAML `yaml:"applications,omitempty"`
	Machines     map[string]machineYAML     `yaml:"machines,omitempty"`
	Relations    []pair                     `yaml:"relations,omitempty"`
}

type saasYAML struct {
	URL text `yaml:"url"`
}

type applicationYAML struct {
	Charm            text                   `yaml:"charm,omitempty"`
	Channel          text                   `yaml:"channel,omitempty"`
	Revision         *int                   `yaml:"revision,omitempty"`
	Series           text                   `yaml:"series,omitempty"`
	Base             text                   `yaml:"base,omitempty"`
	Units            *int                   `yaml:"num_units,omitempty"`
	To               []text                 `yaml:"to,omitempty"`
	Selector         text                   `yaml:"placement,omitempty"`
	Expose           *bool                  `yaml:"expose,omitempty"`
	Trust            *bool                  `yaml:"trust,omitempty"`
	Constraints      *text                  `yaml:"constraints,omitempty"`
	Options          map[string]option      `yaml:"options,omitempty"`
	Annotations      map[string]text        `yaml:"annotations,omitempty"`
	Resources        map[string]resource    `yaml:"resources,omitempty"`
	Storage          map[string]text        `yaml:"storage,omitempty"`
	Devices          map[string]text        `yaml:"devices,omitempty"`
	Bindings         map[string]text        `yaml:"bindings,omitempty"`
	Plan             text                   `yaml:"plan,omitempty"`
	Offers           map[string]offerYAML   `yaml:"offers,omitempty"`
	ExposedEndpoints map[string]exposedYAML `yaml:"exposed-endpoints,omitempty"`
}

type machineYAML struct {
	Constraints *text           `yaml:"constraints,omitempty"`
	Series      text            `yaml:"series,omitempty"`
	Base        text            `yaml:"base,omitempty"`
	Annotations map[string]text `yaml:"annotations,omitempty"`
}

type offerYAML struct {
	Endpoints []text          `yaml:"endpoints,omitempty"`
	ACL       map[string]text `yaml:"acl,omitempty"`
}

type exposedYAML struct {
	Spaces []text `yaml:"expose-to-spaces,omitempty"`
	CIDRs  []text `yaml:"expose-to-cidrs,omitempty"`
}

// text is written so that it is read as the same text.
type text string

// MarshalYAML implements yaml.Marshaler.
func (t text) MarshalYAML() (any, error) {
	if strings.ContainsFunc(string(t), func(r rune) bool {
		return r < ' ' && r != '\n' || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xFEFF
	}) ||
		strings.TrimSpace(string(t)) != string(t) {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: string(t), Style: yaml.DoubleQuotedStyle}, nil
	}
	return string(t), nil
}

// option is written so that it is read with the same type.
type option charm.Value

// MarshalYAML implements yaml.Marshaler.
func (o option) MarshalYAML() (any, error) {
	v := charm.Value(o)
	switch v.Kind() {
	case charm.StringKind:
		return text(v.Text()).MarshalYAML()
	case charm.FloatKind:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: v.String()}, nil
	default:
		return v.Any(), nil
	}
}

type resource Resource

// MarshalYAML implements yaml.Marshaler.
func (r resource) MarshalYAML() (any, error) {
	if r.Revision != nil {
		return *r.Revision, nil
	}
	return text(r.Path).MarshalYAML()
}

type pair Relation

// MarshalYAML implements yaml.Marshaler.
func (p pair) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, end := range p {
		node.Content = append(node.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: end.String()})
	}
	return node, nil
}

// written returns the two documents of a bundle.
func written(b *Bundle) (base, overlay bundleYAML) {
	base = bundleYAML{
		Type: text(b.Type), Name: text(b.Name), Description: text(b.Description), Tags: texts(b.Tags),
		Series: text(b.Series), DefaultBase: text(b.DefaultBase),
		SAAS: map[string]saasYAML{}, Applications: map[string]applicationYAML{}, Machines: map[string]machineYAML{},
	}
	overlay.Applications = map[string]applicationYAML{}
	for _, s := range b.SAAS {
		base.SAAS[string(s.Name)] = saasYAML{text(s.URL)}
	}
	for _, a := range b.Applications {
		base.Applications[string(a.Name)] = writtenApplication(a)
		if private := writtenPrivate(a); len(private.Offers)+len(private.ExposedEndpoints) > 0 {
			overlay.Applications[string(a.Name)] = private
		}
	}
	for _, m := range b.Machines {
		base.Machines[string(m.Name)] = machineYAML{writtenConstraints(m.Constraints), text(m.Series), text(m.Base), textMap(m.Annotations)}
	}
	for _, r := range b.Relations {
		base.Relations = append(base.Relations, pair(r))
	}
	return base, overlay
}

func writtenApplication(a Application) applicationYAML {
	y := applicationYAML{
		Charm: text(a.Charm.String()), Channel: text(a.Channel), Revision: a.Revision, Series: text(a.Series), Base: text(a.Base),
		Units: a.Units, Selector: text(a.Selector), Expose: a.Expose, Trust: a.Trust, Constraints: writtenConstraints(a.Constraints),
		Annotations: textMap(a.Annotations), Storage: textMap(a.Storage), Devices: textMap(a.Devices), Bindings: textMap(a.Bindings),
		Plan: text(a.Plan), Options: map[string]option{}, Resources: map[string]resource{},
	}
	for _, p := range a.To {
		y.To = append(y.To, text(p.String()))
	}
	for name, v := range a.Options {
		y.Options[name] = option(v)
	}
	for name, r := range a.Resources {
		y.Resources[name] = resource(r)
	}
	return y
}

func writtenPrivate(a Application) applicationYAML {
	y := applicationYAML{Offers: map[string]offerYAML{}, ExposedEndpoints: map[string]exposedYAML{}}
	for name, o := range a.Offers {
		y.Offers[name] = offerYAML{texts(o.Endpoints), textMap(o.ACL)}
	}
	for name, e := range a.ExposedEndpoints {
		y.ExposedEndpoints[name] = exposedYAML{texts(e.Spaces), texts(e.CIDRs)}
	}
	return y
}

func writtenConstraints(c *model.Constraints) *text {
	if c == nil {
		return nil
	}
	t := text(c.String())
	return &t
}

func texts(all []string) []text {
	var out []text
	for _, s := range all {
		out = append(out, text(s))
	}
	return out
}

func textMap(m map[string]string) map[string]text {
	out := make(map[string]text, len(m))
	for k, v := range m {
		out[k] = text(v)
	}
	return out
}
