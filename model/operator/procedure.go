package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Turn is a permission to disrupt that a unit holds or asks for.
type Turn struct {
	Application model.ApplicationName `json:"application"`
	Unit        model.UnitName        `json:"unit"`
	Name        string                `json:"name"`
	Token       uint64                `json:"token,omitempty"` // 0: asked for, not granted
	Since       time.Time             `json:"since,omitzero"`
	Rank        int                   `json:"rank,omitempty"`
}

// RevokeTurn takes a turn from a unit.
type RevokeTurn struct {
	Change
	Model model.ModelName
	Unit  model.UnitName
	Turn  string
}

// Task is the claim of an application task.
type Task struct {
	Application model.ApplicationName `json:"application"`
	ID          string                `json:"id"`
	Key         string                `json:"key"`
	Unit        model.UnitName        `json:"unit"`
	Token       uint64                `json:"token"`
	State       string                `json:"state"` // open, done or failed
	Deadline    time.Time             `json:"deadline,omitzero"`
}

// ResolveTask decides the outcome of a task that nobody knows.
type ResolveTask struct {
	Change
	Model       model.ModelName
	Application model.ApplicationName
	Task, Key   string
	Done        bool // it had its effect; otherwise it counts as failed
	// Unit is set for its own task, whose outcome its agent keeps; Application
	// and Key then say nothing.
	Unit model.UnitName
}

// Order is a staged procedure.
type Order struct {
	ID          string                `json:"id"`
	Application model.ApplicationName `json:"application"`
	Name        string                `json:"name"`
	Stage       string                `json:"stage,omitempty"`
	State       string                `json:"state"` // open, done or cancelled
	Params      map[string]string     `json:"params,omitempty"`
}

// StartOrder opens an order.
type StartOrder struct {
	Change
	Model       model.ModelName
	Application model.ApplicationName
	Name        string
	Params      map[string]string
}

// OrderStarted names the order that a StartOrder opened.
type OrderStarted struct {
	Committed Committed `json:"committed"`
	ID        string    `json:"id"`
}

// CancelOrder closes an order before its point of no return.
type CancelOrder struct {
	Change
	Model       model.ModelName
	Application model.ApplicationName
	ID          string
}
