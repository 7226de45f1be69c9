package effect

import "time"

// Pulse is what an agent tells of itself at times: how its ways to the
// controllers are, and how much it has done.
type Pulse struct {
	Now      time.Time      `json:"now"` // the agent's clock
	Version  string         `json:"version"`
	Paths    []Path         `json:"paths,omitempty"`
	Rounds   uint64         `json:"rounds"`             // of deciding what to do next, since it started
	Effects  uint64         `json:"effects"`            // done since it started
	Failures uint64         `json:"failures"`           // of actions, since it started
	Services map[string]int `json:"services,omitempty"` // by state
}

// Path is a way to a controller, as it was last tried.
type Path struct {
	To    string        `json:"to"` // ID of a controller; from an agent, its address
	Fault string        `json:"fault,omitempty"`
	Took  time.Duration `json:"took"`
}
