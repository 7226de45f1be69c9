package program

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
)

// metrics counts what the program does, for Prometheus and for /count. The
// ledger's events are counted from its first record, over all runs.
type metrics struct {
	registry *prometheus.Registry
	made     *prometheus.CounterVec
	events   *prometheus.CounterVec
	commit   prometheus.Histogram

	sessions     atomic.Int64
	sent         atomic.Int64
	acknowledged atomic.Int64
	unknown      atomic.Int64
}

func newMetrics(history ledger.History, queued func() int) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		made: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "telemetry_packets_made_total", Help: "Packets made by this run.",
		}, []string{"apid"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "telemetry_ledger_records_total", Help: "Records of the ledger by event, over all runs.",
		}, []string{"event"}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "telemetry_commit_seconds", Help: "Time from sending a packet to its acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
	}
	m.registry.MustRegister(m.made, m.events, m.commit,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "telemetry_archive_sessions", Help: "Sessions connected with the archive.",
		}, func() float64 { return float64(m.sessions.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "telemetry_queue_packets", Help: "Packets made and not yet sent.",
		}, func() float64 { return float64(queued()) }))
	for event, n := range history.Count {
		m.add(event, n)
	}
	return m
}

func (m *metrics) add(event ledger.Event, n int) {
	m.events.WithLabelValues(string(event)).Add(float64(n))
	switch {
	case event == ledger.Sent:
		m.sent.Add(int64(n))
	case event == ledger.Unknown:
		m.unknown.Add(int64(n))
	case event.Acknowledged():
		m.acknowledged.Add(int64(n))
	}
}

func (m *metrics) packetMade(apid packet.APID) {
	m.made.WithLabelValues(strconv.Itoa(int(apid))).Inc()
}

// Recorded implements archive.Observer.
func (m *metrics) Recorded(event ledger.Event) { m.add(event, 1) }

// Committed implements archive.Observer.
func (m *metrics) Committed(d time.Duration) { m.commit.Observe(d.Seconds()) }

// Connected implements archive.Observer.
func (m *metrics) Connected(sessions int) { m.sessions.Add(int64(sessions)) }
