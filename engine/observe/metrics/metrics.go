package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics counts. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	commits        *prometheus.CounterVec
	commitSeconds  prometheus.Histogram
	commands       prometheus.Counter
	applySeconds   prometheus.Histogram
	storeSeconds   prometheus.Histogram
	fsyncSeconds   prometheus.Histogram
	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	solverRounds   prometheus.Counter
	solverSeconds  prometheus.Histogram
	solverCommands prometheus.Counter
}

// New makes a registry of its own. What is not counted but looked up is asked
// of look at each reading.
func New(look func() Reading) *Metrics {
	m := &Metrics{
		registry:       prometheus.NewRegistry(),
		commits:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: commits.Name, Help: commits.Help}, commits.Labels),
		commitSeconds:  histogram(commitSeconds),
		commands:       counter(commands),
		applySeconds:   histogram(applySeconds),
		storeSeconds:   histogram(storeSeconds),
		fsyncSeconds:   histogram(fsyncSeconds),
		requests:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: requests.Name, Help: requests.Help}, requests.Labels),
		requestSeconds: prometheus.NewHistogramVec(options(requestSeconds), requestSeconds.Labels),
		solverRounds:   counter(solverRounds),
		solverSeconds:  histogram(solverSeconds),
		solverCommands: counter(solverCommands),
	}
	m.registry.MustRegister(
		m.commits, m.commitSeconds, m.commands, m.applySeconds, m.storeSeconds, m.fsyncSeconds, m.requests, m.requestSeconds,
		m.solverRounds, m.solverSeconds, m.solverCommands, reader{look},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func counter(e Entry) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: e.Name, Help: e.Help})
}

func histogram(e Entry) prometheus.Histogram { return prometheus.NewHistogram(options(e)) }

// options have buckets from 100 µs, which a fast disk takes, to 13 s.
func options(e Entry) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{Name: e.Name, Help: e.Help, Buckets: prometheus.ExponentialBuckets(0.0001, 2, 18)}
}

// Gatherer is what serves them.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Committed counts a proposal.
func (m *Metrics) Committed(took time.Duration, err error) {
	if err != nil {
		m.commits.WithLabelValues("failed").Inc()
		return
	}
	m.commits.WithLabelValues("committed").Inc()
	m.commitSeconds.Observe(took.Seconds())
}

// Applied counts an entry of the log.
func (m *Metrics) Applied(commands int, took time.Duration) {
	m.commands.Add(float64(commands))
	m.applySeconds.Observe(took.Seconds())
}

// Stored counts a write of the log.
func (m *Metrics) Stored(took time.Duration) { m.storeSeconds.Observe(took.Seconds()) }

// Synced counts a trial of the disk.
func (m *Metrics) Synced(took time.Duration) { m.fsyncSeconds.Observe(took.Seconds()) }

// Requested counts a request. One that is a stream has no time worth telling.
func (m *Metrics) Requested(route, code string, took time.Duration, stream bool) {
	m.requests.WithLabelValues(route, code).Inc()
	if !stream {
		m.requestSeconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

// Solved counts a round of the solver.
func (m *Metrics) Solved(commands int, took time.Duration) {
	m.solverRounds.Inc()
	m.solverCommands.Add(float64(commands))
	m.solverSeconds.Observe(took.Seconds())
}
