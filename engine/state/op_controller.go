package state

import "github.com/gantry-orchestrator/gantry/model"

// SetController makes a controller a member, or says anew what it is. One that
// left does not come back: it joins under another ID.
type SetController struct {
	ID      string         `json:"id"`
	Address string         `json:"address,omitempty"`
	Unit    model.UnitName `json:"unit,omitzero"`
	Version string         `json:"version"`
	Level   int            `json:"level"`
}

// RemoveController ends a membership. The last member stays.
type RemoveController struct {
	ID string `json:"id"`
}
