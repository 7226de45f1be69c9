package controller

import (
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/controller/port"
	"github.com/gantry-orchestrator/gantry/engine/controller/recorder"
	"github.com/gantry-orchestrator/gantry/engine/history"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// remember prepares the history, on the same members as the log: who joins
// finds it with those that are there already.
func (r *root) remember() {
	cluster := &history.Cluster{Self: r.id, Listener: r.port.Listener(port.History), Dial: r.dialer(port.History)}
	if r.Machine != nil {
		cluster.Join = slices.Sorted(maps.Keys(r.roster.others(r.id)))
	}
	r.history = history.New(history.Config{Dir: filepath.Join(r.Dir, "history"), Log: r.Log, Cluster: cluster})
}

// recording brings what this controller sees to the history.
func (r *root) recording() *recorder.Recorder {
	return recorder.New(recorder.Config{
		History: r.history, Log: r.node, Live: r.live, Status: r.sessions.api.Recorded, Logger: r.Log, Now: time.Now,
		Members: func() (names []string) {
			for _, m := range r.node.Members() {
				names = append(names, m.ID)
			}
			return names
		},
	})
}

// audited records a request where it proves itself whole, and in the history.
func (r *root) audited(a operator.AuditRecord) {
	r.audit.Record(a)
	r.recorder.Audit(a)
}
