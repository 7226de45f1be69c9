package controller

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/observe/metrics"
	"github.com/gantry-orchestrator/gantry/engine/observe/web"
	"github.com/gantry-orchestrator/gantry/model"
)

// reading looks up what metrics tell beside what was counted.
func (r *root) reading() metrics.Reading {
	st, v, h := r.node.State(), r.node.Vitals(), r.history.Health()
	out := metrics.Reading{
		Controller: r.id, Version: r.Version, Leads: r.node.Leading(),
		Term: v.Term, Index: v.Index, Entries: v.Entries, LogBytes: v.Bytes,
		StateIndex: st.Index(), Revision: st.Revision(),
		Sessions: r.sessions.count(), HistoryWaiting: h.Waiting, HistoryDropped: h.Dropped,
	}
	if at, ok := st.Audited(r.id); ok {
		out.AuditRecords = at.Sequence
	}
	if !v.Snapshot.IsZero() {
		out.SnapshotAge = time.Since(v.Snapshot)
	}
	for _, b := range st.Backups().Kept {
		out.BackupAge = time.Since(b.Time) // the newest is the last
		if d := b.Drill; d != nil {
			out.Drill = &metrics.Drill{Passed: d.Fault == "", Age: time.Since(d.Time)}
		}
	}
	if out.Leads {
		r.leads(&out)
	}
	return out
}

// leads adds what only who leads knows.
func (r *root) leads(out *metrics.Reading) {
	out.Contact, out.Lag, out.Health = r.node.Contact(), r.node.Lag(), r.physician.Health()
	for _, a := range r.agents() {
		if a.Heard {
			out.Heard++
		} else {
			out.Silent++
		}
	}
	for ref, p := range r.physician.Pulses() {
		out.Pulses = append(out.Pulses, metrics.Pulse{Pulse: p, Model: string(ref.Model), Machine: string(ref.Machine)})
	}
	st := r.node.State()
	out.Units = map[metrics.UnitsKey]int{}
	for _, m := range st.Models() {
		for _, a := range st.Applications(m.Name) {
			for _, u := range st.Units(a.Ref()) {
				level := model.Unknown
				if report, heard := r.live.Report(u.Ref()); heard {
					level = report.Status.Level
				}
				out.Units[metrics.UnitsKey{Model: string(m.Name), Status: level.String()}]++
			}
		}
	}
}

// pages serves metrics and profiles behind mutual TLS, and health to this host.
func (r *root) pages(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error {
		return web.Serve(ctx, r.browsers, web.Pages(web.Config{Metrics: r.metrics.Gatherer(), Admit: r.page}))
	})
	if r.Health != "" {
		l, err := web.Listen(r.Health)
		if err != nil { // no reason not to control
			r.Log.Warn("health is not served", "error", err)
		} else {
			g.Go(func() error { return web.Serve(ctx, l, web.Health(r.ready)) })
		}
	}
	return g.Wait()
}
