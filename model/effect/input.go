package effect

import "time"

// Input is all that Reconcile may know; nothing else exists.
type Input struct {
	Spec  Spec             `json:"spec"`
	Live  Live             `json:"live"`
	Now   time.Time        `json:"now"` // advances only on a new spec or a due Revisit
	Facts map[ProbeID]Fact `json:"facts,omitempty"`
	Host  Host             `json:"host"`
}

// Fact is the debounced value of a probe. A probe without one is unknown,
// which is never false.
type Fact struct {
	Value string `json:"value"`
}

// Host says where things are on the unit's machine. Charms build every path
// from it, so that machines without privileges work too.
type Host struct {
	Root      string   `json:"root"`      // "/" or the machine's directory
	Data      string   `json:"data"`      // directory for the unit's volumes
	Config    string   `json:"config"`    // directory for the unit's configuration
	Run       string   `json:"run"`       // directory for sockets and pid files
	Software  string   `json:"software"`  // directory of the machine's software
	Log       string   `json:"log"`       // directory for logs
	Program   []string `json:"program"`   // command that runs the charm's own Program
	Superuser bool     `json:"superuser"` // the agent may act as any user
	User      string   `json:"user"`      // that the agent runs as
}

// Charms see the volumes of a unit as facts with these ids and values.
const (
	VolumeFact    = "volume/"  // + ID of the volume
	VolumeEmpty   = "empty"    // nothing in it
	VolumeForeign = "foreign"  // data that no charm of ours stamped
	VolumeStamped = "stamped:" // + incarnation
)
