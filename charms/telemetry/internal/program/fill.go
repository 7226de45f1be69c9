package program

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archiver"
)

// lease is how long an archiver that is gone keeps others from its topic.
const lease = 10 * time.Second

// fill takes packets from the topic into the archive until ctx ends; a value
// from reload has it read its configuration again.
func fill(ctx context.Context, reload <-chan os.Signal, args []string, stderr io.Writer) error {
	path, c, err := configured("archive", args)
	if err != nil {
		return err
	}
	if err := c.requireTopic("archive"); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Archiver)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	f := filler{path: path, log: slog.New(slog.NewTextHandler(stderr, nil)), progress: newProgress()}
	web := &http.Server{Handler: f.progress.handler(), ReadHeaderTimeout: 5 * time.Second}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return answerAt(listener, web) })
	group.Go(func() error {
		<-ctx.Done()
		return hangUp(web)
	})
	group.Go(func() error { return f.run(ctx, reload, c) })
	return group.Wait()
}

// filler runs one archiver after the other, each by its own configuration.
type filler struct {
	path     string
	log      *slog.Logger
	progress *progress
}

func (f filler) run(ctx context.Context, reload <-chan os.Signal, c config) error {
	for ctx.Err() == nil {
		present, end := context.WithCancel(ctx)
		group, present := errgroup.WithContext(present)
		group.Go(func() error {
			return archiver.Run(present, archiver.Config{
				Holder: c.Source, Topic: c.topic, Archive: c.target, Timeout: c.Timeout, Lease: lease, Observer: f.progress, Log: f.log,
			})
		})
		next := f.changed(ctx, reload, c)
		end()
		if err := group.Wait(); err != nil {
			return err
		}
		c = next
	}
	return nil
}

// changed returns the next configuration that is another than c, or c where
// ctx ends before.
func (f filler) changed(ctx context.Context, reload <-chan os.Signal, c config) config {
	for {
		select {
		case <-ctx.Done():
			return c
		case <-reload:
		}
		next, err := c.again(f.path)
		if err == nil {
			err = next.requireTopic("archive")
		}
		switch {
		case err != nil:
			f.log.Error("configuration is not taken up", "err", err)
		case !next.topic.Equal(c.topic) || !next.target.Equal(c.target):
			f.log.Info("configuration is taken up")
			return next
		}
	}
}

// progress tells Prometheus, and whoever asks after the archiver's health, how
// far it is.
type progress struct {
	registry *prometheus.Registry
	archived prometheus.Counter
	skipped  prometheus.Counter
	behind   atomic.Int64
	holding  atomic.Bool
}

func newProgress() *progress {
	p := &progress{
		registry: prometheus.NewRegistry(),
		archived: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "telemetry_archiver_packets_total", Help: "Packets taken from the topic into the archive by this run.",
		}),
		skipped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "telemetry_archiver_skipped_records_total", Help: "Records of the topic that are no packets and were not archived.",
		}),
	}
	p.registry.MustRegister(p.archived, p.skipped,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "telemetry_archiver_behind_records", Help: "Records of the topic that the archive does not have yet.",
		}, func() float64 { return float64(p.behind.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "telemetry_archiver_holds_topic", Help: "1 while this archiver is the one that works.",
		}, func() float64 {
			if p.holding.Load() {
				return 1
			}
			return 0
		}))
	return p
}

// Archived implements archiver.Observer.
func (p *progress) Archived(packets int) { p.archived.Add(float64(packets)) }

// Skipped implements archiver.Observer.
func (p *progress) Skipped(records int) { p.skipped.Add(float64(records)) }

// Behind implements archiver.Observer.
func (p *progress) Behind(records int64) { p.behind.Store(records) }

// Holding implements archiver.Observer.
func (p *progress) Holding(archiver bool) { p.holding.Store(archiver) }

// pace is the answer of an archiver's /healthz. Its status is 200 as long as
// the program runs: to restart it would bring back neither brokers nor archive.
type pace struct {
	Status  string `json:"status"`
	Holding bool   `json:"holding"`
	Behind  int64  `json:"behind"`
}

func (p *progress) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, pace{Status: "ok", Holding: p.holding.Load(), Behind: p.behind.Load()})
	})
	return mux
}
