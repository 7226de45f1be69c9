package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// ControllerInfo says what answers.
type ControllerInfo struct {
	ID       string    `json:"id"`
	Version  string    `json:"version"`
	Leader   bool      `json:"leader"`
	Index    uint64    `json:"index"`
	Started  time.Time `json:"started"`
	Identity string    `json:"identity"` // of who asked
	Provider string    `json:"provider,omitempty"`
	Models   int       `json:"models"`
}

// CharmSummary is one charm that can be deployed.
type CharmSummary struct {
	Name     model.CharmName `json:"name"`
	Revision string          `json:"revision"` // hash of the artifact
	Summary  string          `json:"summary,omitempty"`
	BuiltIn  bool            `json:"built_in,omitempty"`
}
