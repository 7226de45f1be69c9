package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// ControllerRole is what a controller does among the others.
type ControllerRole string

// The roles. Who catches up has no vote yet.
const (
	Leads      ControllerRole = "leader"
	Follows    ControllerRole = "follower"
	CatchingUp ControllerRole = "catching up"
)

// Controller is a member of the control plane as the one that answers sees it.
type Controller struct {
	ID          string         `json:"id"`
	Address     string         `json:"address,omitempty"`
	Unit        model.UnitName `json:"unit,omitzero"` // of model controller; zero for the one that up started
	Version     string         `json:"version"`
	Level       int            `json:"level"`
	Role        ControllerRole `json:"role"`
	Joined      time.Time      `json:"joined"`
	Answers     bool           `json:"answers"`                // the leader heard of it just now
	Lag         uint64         `json:"lag"`                    // entries of the log that it does not have yet
	LastContact time.Duration  `json:"last_contact,omitempty"` // how long ago, as nanoseconds
	Self        bool           `json:"self,omitempty"`         // it is the one that answers
}

// ControllerSelf is what a controller says of itself.
type ControllerSelf struct {
	ID      string
	Address string
	Version string
	Level   int
}

// ControllerKeys are what a new member needs of the others. They are as secret
// as all that the control plane keeps.
type ControllerKeys struct {
	CA         []byte // PEM
	CAKey      []byte // PEM
	SecretsKey []byte // that secrets are sealed with
	Provider   string // of the host agent
	Members    []ControllerSelf
}

// CharmArchive is an uploaded charm that a controller keeps.
type CharmArchive struct {
	Hash     string
	Uploaded time.Time
}
