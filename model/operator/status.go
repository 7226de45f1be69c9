package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Status is a model at a glance. Slices are ordered by name.
type Status struct {
	Model        ModelStatus   `json:"model"`
	Applications []Application `json:"applications"`
	Machines     []Machine     `json:"machines"`
	Relations    []Relation    `json:"relations"`
}

// ModelStatus is the model itself.
type ModelStatus struct {
	Name      model.ModelName `json:"name"`
	Life      model.Life      `json:"life"`
	Provider  string          `json:"provider,omitempty"`
	Index     uint64          `json:"index"`
	Revision  uint64          `json:"revision"`
	Converged bool            `json:"converged"`
	Waiting   []string        `json:"waiting,omitempty"`   // why not
	Blocked   []string        `json:"blocked,omitempty"`   // where a person must act
	Leftovers []string        `json:"leftovers,omitempty"` // what units that are gone left on machines that are there
	Degraded  []string        `json:"degraded,omitempty"`  // of the controllers' own model: why they are less than they should be
	Now       time.Time       `json:"now"`
}

// ModelSummary is one model of a list.
type ModelSummary struct {
	Name         model.ModelName `json:"name"`
	Life         model.Life      `json:"life"`
	Revision     uint64          `json:"revision"`
	Applications int             `json:"applications"`
	Units        int             `json:"units"`
	Machines     int             `json:"machines"`
	Access       string          `json:"access"` // of who asked
}

// Application is an application in a status.
type Application struct {
	Name        model.ApplicationName   `json:"name"`
	Charm       model.CharmName         `json:"charm"`
	Revision    string                  `json:"charm_revision"`
	Life        model.Life              `json:"life"`
	Status      model.Status            `json:"status"` // its units' worst
	Version     string                  `json:"version,omitempty"`
	Scale       int                     `json:"scale"` // units wanted
	Subordinate bool                    `json:"subordinate,omitempty"`
	Exposed     bool                    `json:"exposed,omitempty"`
	Trusted     bool                    `json:"trusted,omitempty"`
	Principals  []model.ApplicationName `json:"principals,omitempty"`
	Order       *Order                  `json:"order,omitempty"`
	Units       []Unit                  `json:"units,omitempty"`
}

// Unit is a unit in a status.
type Unit struct {
	Name      model.UnitName    `json:"name"`
	Life      model.Life        `json:"life"`
	Machine   model.MachineName `json:"machine,omitempty"`
	Address   string            `json:"address,omitempty"`
	Status    model.Status      `json:"status"`
	Leader    bool              `json:"leader,omitempty"`
	Settled   bool              `json:"settled"`
	Reachable bool              `json:"reachable"` // its agent is heard
	Version   string            `json:"version,omitempty"`
	Ports     []effect.Port     `json:"ports,omitempty"`
	Principal model.UnitName    `json:"principal,omitzero"`
	Doing     []string          `json:"doing,omitempty"`
	Holds     []effect.Hold     `json:"holds,omitempty"`
}

// Machine is a machine in a status.
type Machine struct {
	Name        model.MachineName `json:"name"`
	UUID        string            `json:"uuid"`
	Life        model.Life        `json:"life"`
	Status      model.Status      `json:"status"`
	Address     string            `json:"address,omitempty"`
	Base        string            `json:"base,omitempty"`
	Constraints string            `json:"constraints,omitempty"`
	Reachable   bool              `json:"reachable"`
	Progress    string            `json:"progress,omitempty"` // of its making
	Units       []model.UnitName  `json:"units,omitempty"`
	Host        *effect.HostFacts `json:"host,omitempty"`
}

// Relation is a relation in a status.
type Relation struct {
	ID        model.RelationID    `json:"id"`
	Interface model.InterfaceName `json:"interface"`
	Scope     model.Scope         `json:"scope"`
	Life      model.Life          `json:"life"`
	Ends      []RelationEnd       `json:"ends"` // one for peers
}

// RelationEnd is one end of a relation.
type RelationEnd struct {
	Application model.ApplicationName `json:"application"`
	Endpoint    model.EndpointName    `json:"endpoint"`
	Role        model.Role            `json:"role"`
}

// ApplicationDetail is all that there is to see of an application.
type ApplicationDetail struct {
	Application
	Constraints string           `json:"constraints,omitempty"`
	Endpoints   []model.Endpoint `json:"endpoints,omitempty"`
	Relations   []Relation       `json:"relations,omitempty"`
	Config      []Option         `json:"config,omitempty"`
	Records     []effect.Record  `json:"records,omitempty"`
	Actions     []ActionSummary  `json:"actions,omitempty"`
}

// ActionSummary says what may be run.
type ActionSummary struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Description string `json:"description,omitempty"`
}

// UnitDetail is all that there is to see of a unit. It holds no secret.
type UnitDetail struct {
	Unit
	Application model.ApplicationName          `json:"application"`
	Generation  uint64                         `json:"generation"` // of its intent
	Hash        string                         `json:"hash"`
	Report      *effect.Report                 `json:"report,omitempty"`
	Relations   []effect.Relation              `json:"relations,omitempty"`
	Own         []effect.OwnBag                `json:"own,omitempty"`
	Records     []effect.Record                `json:"records,omitempty"`
	Grants      []effect.Grant                 `json:"grants,omitempty"`
	Facts       map[effect.ProbeID]effect.Fact `json:"facts,omitempty"`
}
