package bundle

import (
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// Change is one step from a model to what a bundle declares. It is one of the
// types of this file; String is the line that a plan prints.
type Change interface {
	fmt.Stringer
	isChange()
}

// AddMachine asks for a machine that placements name.
type AddMachine struct {
	Machine Machine `json:"machine"`
}

// AddApplication deploys an application with all that its declaration says.
type AddApplication struct {
	Application Application `json:"application"`
}

// SetCharm changes what an application runs. An empty channel or a nil
// revision stays as it is.
type SetCharm struct {
	Application model.ApplicationName `json:"application"`
	From        CharmRef              `json:"from"`
	To          CharmRef              `json:"to"`
	Channel     string                `json:"channel,omitempty"`
	Revision    *int                  `json:"revision,omitempty"`
}

// SetConfig sets options, and resets others to the charm's default.
type SetConfig struct {
	Application model.ApplicationName `json:"application"`
	Set         charm.Settings        `json:"set,omitempty"`
	Reset       []string              `json:"reset,omitempty"`
}

// SetConstraints changes what machines made from now on must offer.
type SetConstraints struct {
	Application model.ApplicationName `json:"application"`
	From        model.Constraints     `json:"from"`
	To          model.Constraints     `json:"to"`
}

// SetTrust grants or withdraws access to the cloud's credentials.
type SetTrust struct {
	Application model.ApplicationName `json:"application"`
	Trust       bool                  `json:"trust"`
}

// SetExposed opens an application to the outside, or closes it.
type SetExposed struct {
	Application model.ApplicationName `json:"application"`
	Exposed     bool                  `json:"exposed"`
}

// SetAnnotations sets annotations and removes others.
type SetAnnotations struct {
	Application model.ApplicationName `json:"application"`
	Set         map[string]string     `json:"set,omitempty"`
	Remove      []string              `json:"remove,omitempty"`
}

// Scale changes the number of units. Placements are those of the whole
// application: a new unit takes the one of its rank, if there is one.
type Scale struct {
	Application model.ApplicationName `json:"application"`
	From        int                   `json:"from"`
	To          int                   `json:"to"`
	Placements  []Placement           `json:"placements,omitempty"`
}

// AddRelation joins two endpoints.
type AddRelation struct {
	Relation Relation `json:"relation"`
}

// RemoveRelation parts two endpoints.
type RemoveRelation struct {
	Relation Relation `json:"relation"`
}

// RemoveApplication removes an application, its units and its relations.
type RemoveApplication struct {
	Application model.ApplicationName `json:"application"`
}

// RemoveMachine removes a machine on which no placement is left.
type RemoveMachine struct {
	Machine model.MachineName `json:"machine"`
}

func (AddMachine) isChange()        {}
func (AddApplication) isChange()    {}
func (SetCharm) isChange()          {}
func (SetConfig) isChange()         {}
func (SetConstraints) isChange()    {}
func (SetTrust) isChange()          {}
func (SetExposed) isChange()        {}
func (SetAnnotations) isChange()    {}
func (Scale) isChange()             {}
func (AddRelation) isChange()       {}
func (RemoveRelation) isChange()    {}
func (RemoveApplication) isChange() {}
func (RemoveMachine) isChange()     {}

// String names the machine.
func (c AddMachine) String() string { return fmt.Sprintf("add machine %s", c.Machine.Name) }

// String names the application, its charm and its units.
func (c AddApplication) String() string {
	a := c.Application
	return fmt.Sprintf("add application %s (charm %s, units %d)", a.Name, a.Charm, a.UnitCount())
}

// String names both charms.
func (c SetCharm) String() string {
	s := fmt.Sprintf("change charm of %s from %s to %s", c.Application, c.From, c.To)
	if c.Channel != "" {
		s += ", channel " + c.Channel
	}
	if c.Revision != nil {
		s += fmt.Sprintf(", revision %d", *c.Revision)
	}
	return s
}

// String names the options and their values.
func (c SetConfig) String() string {
	var parts []string
	for _, name := range c.Set.Names() {
		parts = append(parts, fmt.Sprintf("%s=%q", name, c.Set[name]))
	}
	for _, name := range c.Reset {
		parts = append(parts, name+" to its default")
	}
	return fmt.Sprintf("configure %s: %s", c.Application, strings.Join(parts, ", "))
}

// String names the constraints.
func (c SetConstraints) String() string {
	return fmt.Sprintf("change constraints of %s from %q to %q", c.Application, c.From, c.To)
}

// String says which way.
func (c SetTrust) String() string {
	if c.Trust {
		return fmt.Sprintf("trust %s", c.Application)
	}
	return fmt.Sprintf("withdraw trust from %s", c.Application)
}

// String says which way.
func (c SetExposed) String() string {
	if c.Exposed {
		return fmt.Sprintf("expose %s", c.Application)
	}
	return fmt.Sprintf("unexpose %s", c.Application)
}

// String names the annotations.
func (c SetAnnotations) String() string {
	return fmt.Sprintf("annotate %s: %s", c.Application, strings.Join(append(sortedKeys(c.Set), c.Remove...), ", "))
}

// String gives both numbers.
func (c Scale) String() string {
	return fmt.Sprintf("scale %s from %d to %d units", c.Application, c.From, c.To)
}

// String names both ends.
func (c AddRelation) String() string {
	return fmt.Sprintf("relate %s and %s", c.Relation[0], c.Relation[1])
}

// String names both ends.
func (c RemoveRelation) String() string {
	return fmt.Sprintf("remove relation of %s and %s", c.Relation[0], c.Relation[1])
}

// String names the application.
func (c RemoveApplication) String() string {
	return fmt.Sprintf("remove application %s", c.Application)
}

// String names the machine.
func (c RemoveMachine) String() string { return fmt.Sprintf("remove machine %s", c.Machine) }
