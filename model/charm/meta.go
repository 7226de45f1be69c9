package charm

import (
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
)

// Meta is what a charm says of itself. Lists are in the order of their names,
// but for those whose order the author chose (Series, Tags and other texts).
type Meta struct {
	Name          model.CharmName  `json:"name"`
	Title         string           `json:"title,omitempty"`
	Summary       string           `json:"summary,omitempty"`
	Description   string           `json:"description,omitempty"`
	Subordinate   bool             `json:"subordinate,omitempty"`
	Endpoints     []model.Endpoint `json:"endpoints,omitempty"` // declared ones and the implicit juju-info
	ExtraBindings []string         `json:"extra-bindings,omitempty"`
	Storage       []Storage        `json:"storage,omitempty"`
	Devices       []Device         `json:"devices,omitempty"`
	Resources     []Resource       `json:"resources,omitempty"`
	Containers    []Container      `json:"containers,omitempty"`
	Assumes       []Assumption     `json:"assumes,omitempty"`
	Series        []string         `json:"series,omitempty"`
	Bases         []string         `json:"bases,omitempty"` // such as ubuntu@24.04
	Tags          []string         `json:"tags,omitempty"`
	Categories    []string         `json:"categories,omitempty"`
	Terms         []string         `json:"terms,omitempty"`
	Maintainers   []string         `json:"maintainers,omitempty"`
	User          string           `json:"charm-user,omitempty"` // root, sudoer or non-root
}

// Storage is a volume that each unit wants, or several of them.
type Storage struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"` // filesystem or block
	Description string   `json:"description,omitempty"`
	Shared      bool     `json:"shared,omitempty"`
	ReadOnly    bool     `json:"read-only,omitempty"`
	CountMin    int      `json:"count-min"`
	CountMax    int      `json:"count-max"`              // -1 means any number
	MinimumMiB  uint64   `json:"minimum-size,omitempty"` // MiB
	Location    string   `json:"location,omitempty"`
	Properties  []string `json:"properties,omitempty"`
}

// Device is a device such as a GPU that each unit wants.
type Device struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
	CountMin    int    `json:"count-min"`
	CountMax    int    `json:"count-max"`
}

// Resource is a file or an image that comes with the charm's artifact.
type Resource struct {
	Name        string `json:"name"`
	Type        string `json:"type"` // file or oci-image
	Filename    string `json:"filename,omitempty"`
	Description string `json:"description,omitempty"`
}

// Container is a workload container of a Kubernetes charm.
type Container struct {
	Name     string  `json:"name"`
	Resource string  `json:"resource,omitempty"`
	Mounts   []Mount `json:"mounts,omitempty"`
}

// Mount puts a storage of the charm into a container.
type Mount struct {
	Storage  string `json:"storage"`
	Location string `json:"location"`
}

// Assumption is what a charm needs of the controller: a feature with an
// optional bound on its version, or any or all of further ones.
type Assumption struct {
	Feature string       `json:"feature,omitempty"`
	Bound   string       `json:"bound,omitempty"` // >= or <
	Version string       `json:"version,omitempty"`
	AnyOf   []Assumption `json:"any-of,omitempty"`
	AllOf   []Assumption `json:"all-of,omitempty"`
}

// JujuInfo is the endpoint that every charm provides without declaring it. It
// is global: a relation over it is of container scope when the other end is.
var JujuInfo = model.Endpoint{Name: "juju-info", Interface: "juju-info", Role: model.Provides, Scope: model.GlobalScope}

// Endpoint returns the endpoint of that name, the implicit one included.
func (m Meta) Endpoint(name model.EndpointName) (model.Endpoint, bool) {
	for _, e := range m.Endpoints {
		if e.Name == name {
			return e, true
		}
	}
	return model.Endpoint{}, false
}

// ByRole returns the endpoints of one role, in the order of their names.
func (m Meta) ByRole(role model.Role) []model.Endpoint {
	return slices.DeleteFunc(slices.Clone(m.Endpoints), func(e model.Endpoint) bool { return e.Role != role })
}

// EndpointNames returns the names of all endpoints, for suggestions.
func (m Meta) EndpointNames() []string {
	names := make([]string, len(m.Endpoints))
	for i, e := range m.Endpoints {
		names[i] = string(e.Name)
	}
	return names
}

// IsImplicit reports whether the endpoint is the one that a charm has without
// declaring it; the solver prefers a declared endpoint to it.
func IsImplicit(e model.Endpoint) bool { return e.Name == JujuInfo.Name && e.Role == JujuInfo.Role }
