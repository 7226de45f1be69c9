package controller

import (
	"log/slog"
	"path/filepath"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/api"
	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/engine/plan"
)

// Config is what a controller needs.
type Config struct {
	Dir       string   // state; made where it is missing, mode 0700
	Listen    string   // host:port of the API
	Advertise []string // host:port that clients and agents dial; empty means what it listens on
	Provider  string   // of the host agent, for new models
	Version   string   // of gantry
	BuiltIn   []api.Artifact
	Plan      plan.Config // its Report is the controller's own; without Charms a plan has the model's differences alone
	Policy    api.Policy  // may be nil
	Log       *slog.Logger

	// CertificateLife is that of what the controller signs, and of its own
	// certificate; 0 is a year. All are renewed at two thirds of it.
	CertificateLife time.Duration

	// Machine is set for a controller that joins others: it runs on a machine.
	// One without founds a control plane of its own at its first start.
	Machine Machine
	// RoleFile is kept as what this controller is among the others: leader,
	// follower, catching up, alone (nobody leads) or removed, and one beside it
	// whose name ends in .member as whether it takes part: true or false. Empty
	// means no files.
	RoleFile string

	// Health is host:port of this host alone where the controller says whether it
	// is live and ready, and nothing else. Empty means nowhere.
	Health string

	// Tracer follows what operators ask for; nil follows nothing.
	Tracer *trace.Tracer

	// Ready is called once, when the controller leads and serves.
	Ready func(Ready)
}

// Ready says how a controller is reached. Both files are contexts of package
// client, mode 0600.
type Ready struct {
	Addresses []string      `json:"addresses"`
	Admin     string        `json:"admin"` // the first operator's
	Host      string        `json:"host"`  // the embedded host agent's
	Took      time.Duration `json:"took"`
}

// ReadyFile is where a controller writes Ready as JSON once it is; it is
// removed when the controller starts.
func ReadyFile(dir string) string { return filepath.Join(dir, "ready.json") }

// AdminContext is the first operator's context file.
func AdminContext(dir string) string { return filepath.Join(dir, "admin.json") }

// HostContext is the embedded host agent's context file.
func HostContext(dir string) string { return filepath.Join(dir, "host.json") }
