package bundle

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// Kubernetes is the Type of a bundle for a Kubernetes cluster.
const Kubernetes = "kubernetes"

// Bundle is a declaration of applications and their relations. Applications
// and SAAS are in the order of their names, machines in that of their numbers,
// relations as they were written. A pointer that is nil means that the bundle
// does not say. The zero Bundle declares nothing.
type Bundle struct {
	Type         string        `json:"bundle,omitempty"` // "" for machines, or Kubernetes
	Name         string        `json:"name,omitempty"`
	Description  string        `json:"description,omitempty"`
	Tags         []string      `json:"tags,omitempty"`
	Series       string        `json:"series,omitempty"`
	DefaultBase  string        `json:"default-base,omitempty"`
	Applications []Application `json:"applications,omitempty"`
	Machines     []Machine     `json:"machines,omitempty"`
	Relations    []Relation    `json:"relations,omitempty"`
	SAAS         []SAAS        `json:"saas,omitempty"`

	root        *document.Node   // what was read, overlays merged; nil for a bundle made in Go
	relationsAt []model.Position // of Relations
}

// Application is a charm to deploy and how.
type Application struct {
	Name             model.ApplicationName      `json:"name"`
	Charm            CharmRef                   `json:"charm"`
	Channel          string                     `json:"channel,omitempty"`
	Revision         *int                       `json:"revision,omitempty"`
	Series           string                     `json:"series,omitempty"`
	Base             string                     `json:"base,omitempty"`
	Units            *int                       `json:"num_units,omitempty"`
	To               []Placement                `json:"to,omitempty"`
	Selector         string                     `json:"placement,omitempty"` // of Kubernetes: labels of the nodes
	Options          charm.Settings             `json:"options,omitempty"`
	Constraints      *model.Constraints         `json:"constraints,omitempty"`
	Expose           *bool                      `json:"expose,omitempty"`
	Trust            *bool                      `json:"trust,omitempty"`
	Annotations      map[string]string          `json:"annotations,omitempty"`
	Resources        map[string]Resource        `json:"resources,omitempty"`
	Storage          map[string]string          `json:"storage,omitempty"`
	Devices          map[string]string          `json:"devices,omitempty"`
	Bindings         map[string]string          `json:"bindings,omitempty"`
	Offers           map[string]Offer           `json:"offers,omitempty"`
	ExposedEndpoints map[string]ExposedEndpoint `json:"exposed-endpoints,omitempty"`
	Plan             string                     `json:"plan,omitempty"`
}

// Machine is a machine that placements of the bundle name.
type Machine struct {
	Name        model.MachineName  `json:"name"`
	Constraints *model.Constraints `json:"constraints,omitempty"`
	Series      string             `json:"series,omitempty"`
	Base        string             `json:"base,omitempty"`
	Annotations map[string]string  `json:"annotations,omitempty"`
}

// Relation joins two endpoints; either may leave the endpoint to the solver.
type Relation [2]model.EndpointRef

// SAAS is an offer of another model, known under a name.
type SAAS struct {
	Name model.ApplicationName `json:"name"`
	URL  string                `json:"url,omitempty"`
}

// Resource is a revision of a charm's resource, or a local file.
type Resource struct {
	Revision *int   `json:"revision,omitempty"`
	Path     string `json:"path,omitempty"`
}

// Offer opens endpoints of an application to other models.
type Offer struct {
	Endpoints []string          `json:"endpoints,omitempty"`
	ACL       map[string]string `json:"acl,omitempty"`
}

// ExposedEndpoint says who outside the model reaches an endpoint.
type ExposedEndpoint struct {
	Spaces []string `json:"expose-to-spaces,omitempty"`
	CIDRs  []string `json:"expose-to-cidrs,omitempty"`
}

// Warning is a place of a bundle that is read but means nothing.
type Warning struct {
	At      model.Position `json:"at"`
	Message string         `json:"message"`
}

// String writes the warning as a compiler does.
func (w Warning) String() string { return fmt.Sprintf("%v: %s", w.At, w.Message) }

// Application returns the application of that name.
func (b *Bundle) Application(name model.ApplicationName) (Application, bool) {
	i := slices.IndexFunc(b.Applications, func(a Application) bool { return a.Name == name })
	if i < 0 {
		return Application{}, false
	}
	return b.Applications[i], true
}

// Machine returns the machine of that name.
func (b *Bundle) Machine(name model.MachineName) (Machine, bool) {
	i := slices.IndexFunc(b.Machines, func(m Machine) bool { return m.Name == name })
	if i < 0 {
		return Machine{}, false
	}
	return b.Machines[i], true
}

// UnitCount is the number of units that the bundle asks for, 0 where it does
// not say: a subordinate has as many as its principals.
func (a Application) UnitCount() int {
	if a.Units == nil {
		return 0
	}
	return *a.Units
}

// String writes the relation as "a:x b:y".
func (r Relation) String() string { return r[0].String() + " " + r[1].String() }

// Covers reports whether other is the relation that r asks for: the same
// applications, and the same endpoints where r names them.
func (r Relation) Covers(other Relation) bool {
	covers := func(a, b model.EndpointRef) bool {
		return a.Application == b.Application && (a.Endpoint == "" || a.Endpoint == b.Endpoint)
	}
	return covers(r[0], other[0]) && covers(r[1], other[1]) || covers(r[0], other[1]) && covers(r[1], other[0])
}

// sorted returns the relation with its endpoints in order, so that equal
// relations compare equal.
func (r Relation) sorted() Relation {
	if cmp.Compare(r[1].String(), r[0].String()) < 0 {
		return Relation{r[1], r[0]}
	}
	return r
}

func compareMachines(a, b Machine) int {
	return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
}

// CharmPosition is where the bundle names the charm of an application.
func (b *Bundle) CharmPosition(a model.ApplicationName) model.Position {
	return b.at("applications", string(a), "charm")
}

// at returns where the bundle says something: the deepest node of the path
// that there is. It is zero for a bundle that was not read from a file.
func (b *Bundle) at(path ...string) model.Position {
	n := b.root
	if n == nil {
		return model.Position{}
	}
	for _, step := range path {
		next := n.Field(step)
		if i, err := strconv.Atoi(step); err == nil && n.Kind == document.List && i < len(n.Items) {
			next = n.Items[i]
		}
		if next == nil {
			break
		}
		n = next
	}
	return n.Pos
}

// relationAt returns where a relation is written.
func (b *Bundle) relationAt(i int) model.Position {
	if i < len(b.relationsAt) {
		return b.relationsAt[i]
	}
	return b.at("relations")
}
