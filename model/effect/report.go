package effect

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Report is what an agent says of one unit. It is soft state: the agent says
// it again to every controller that it connects to.
type Report struct {
	Unit       model.UnitName   `json:"unit"`
	Generation uint64           `json:"generation"` // of the intent that it speaks of
	Hash       string           `json:"hash"`
	Serial     uint64           `json:"serial"`
	Settled    bool             `json:"settled"`
	Status     model.Status     `json:"status"`
	Version    string           `json:"version,omitempty"`
	Doing      []string         `json:"doing,omitempty"`    // effects under way, for progress
	Asks       []Turn           `json:"asks,omitempty"`     // turns wanted under Hash; none wanted is an answer too
	Answered   bool             `json:"answered"`           // Asks is complete for Hash
	Returned   []Grant          `json:"returned,omitempty"` // grants of the intent that are given back: never acted under again
	Holds      []Hold           `json:"holds,omitempty"`
	Reached    string           `json:"reached,omitempty"`
	Services   []ServiceReport  `json:"services,omitempty"`
	Ports      []Port           `json:"ports,omitempty"`
	Flapping   []string         `json:"flapping,omitempty"` // the effects that alternate
	TornDown   bool             `json:"torn_down,omitempty"`
	Leftovers  []string         `json:"leftovers,omitempty"` // kept volumes and what could not be undone
	Facts      map[ProbeID]Fact `json:"facts,omitempty"`
}

// ServiceReport is one supervised process.
type ServiceReport struct {
	ID       ID        `json:"id"`
	PID      int       `json:"pid,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	Restarts int       `json:"restarts"` // unplanned
	Healthy  bool      `json:"healthy"`
}
