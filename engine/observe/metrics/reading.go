package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Reading is what is looked up whenever metrics are read.
type Reading struct {
	Controller, Version string
	Leads               bool
	Term, Index         uint64
	Entries             uint64
	LogBytes            int64
	SnapshotAge         time.Duration // 0: there is none
	StateIndex          uint64
	Revision            uint64
	Contact             map[string]time.Duration
	Lag                 map[string]uint64
	Sessions            int
	AuditRecords        uint64
	HistoryWaiting      int
	HistoryDropped      uint64
	BackupAge           time.Duration // 0: there is none
	Drill               *Drill

	// Of the leader alone.
	Heard, Silent int // agents
	Units         map[UnitsKey]int
	Health        operator.Health
	Pulses        []Pulse
}

// Drill is how the last drill of a backup came out.
type Drill struct {
	Passed bool
	Age    time.Duration
}

// UnitsKey is what units are counted by.
type UnitsKey struct{ Model, Status string }

// Pulse is what a machine's agent told last.
type Pulse struct {
	effect.Pulse
	Model, Machine string
}

// reader is the collector of what is looked up.
type reader struct{ look func() Reading }

// Describe implements prometheus.Collector: which metrics there are depends on
// what is found.
func (reader) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (r reader) Collect(out chan<- prometheus.Metric) {
	emit := func(e Entry, value float64, labels ...string) {
		kind := prometheus.GaugeValue
		if e.Type == "counter" {
			kind = prometheus.CounterValue
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(e.Name, e.Help, e.Labels, nil), kind, value, labels...)
	}
	now := r.look()
	now.own(emit)
	if now.Leads {
		now.led(emit)
	}
}

type emitter func(e Entry, value float64, labels ...string)

// own is what every controller tells.
func (r Reading) own(emit emitter) {
	emit(up, 1, r.Controller, r.Version)
	emit(leading, number(r.Leads))
	emit(term, float64(r.Term))
	emit(index, float64(r.Index))
	emit(entries, float64(r.Entries))
	emit(logBytes, float64(r.LogBytes))
	if r.SnapshotAge > 0 {
		emit(snapshotAge, r.SnapshotAge.Seconds())
	}
	emit(stateIndex, float64(r.StateIndex))
	emit(revision, float64(r.Revision))
	emit(sessions, float64(r.Sessions))
	emit(auditLength, float64(r.AuditRecords))
	emit(historyWaiting, float64(r.HistoryWaiting))
	emit(historyDropped, float64(r.HistoryDropped))
	if r.BackupAge > 0 {
		emit(backupAge, r.BackupAge.Seconds())
	}
	if r.Drill != nil {
		emit(drillPassed, number(r.Drill.Passed))
		emit(drillAge, r.Drill.Age.Seconds())
	}
}

// led is what only who leads knows.
func (r Reading) led(emit emitter) {
	for member, since := range r.Contact {
		emit(contact, since.Seconds(), member)
	}
	for member, behind := range r.Lag {
		emit(lag, float64(behind), member)
	}
	emit(agents, float64(r.Heard), "yes")
	emit(agents, float64(r.Silent), "no")
	for key, n := range r.Units {
		emit(units, float64(n), key.Model, key.Status)
	}
	emit(degraded, number(len(r.Health.Degraded()) > 0))
	type found struct{ check, level string }
	count := map[found]int{}
	for _, f := range r.Health.Findings {
		if f.Level != operator.FindingOK {
			count[found{f.Check, string(f.Level)}]++
		}
	}
	for f, n := range count {
		emit(findings, float64(n), f.check, f.level)
	}
	for _, p := range r.Pulses {
		emit(agentRounds, float64(p.Rounds), p.Model, p.Machine)
		emit(agentEffects, float64(p.Effects), p.Model, p.Machine)
		emit(agentFailures, float64(p.Failures), p.Model, p.Machine)
		for state, n := range p.Services {
			emit(agentServices, float64(n), p.Model, p.Machine, state)
		}
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
