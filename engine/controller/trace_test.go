package controller

import (
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// TestAChangeIsOneTraceFromTheCommandToTheHost follows one change of the
// configuration through the controller to an agent, whose part comes back.
func TestAChangeIsOneTraceFromTheCommandToTheHost(t *testing.T) {
	here, there := tracetest.NewInMemoryExporter(), tracetest.NewInMemoryExporter()
	cli, control := trace.New("gantry", "test", here), trace.New("gantry-controller", "test", there)
	w := beginAlone(t, t.TempDir(), func(c *Config) { c.Tracer = control })
	w.fakes.Go(func() error { return w.host(w.ctx, &w.fakes) })
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db", Application: "db", Units: 1}))(t)
	w.converge("m")
	control.Flush(w.ctx)
	if spans := there.GetSpans(); len(spans) > 0 {
		t.Errorf("nobody asked for it, and traced were %d spans such as %q", len(spans), spans[0].Name)
	}

	ctx, end := cli.Begin(w.ctx, "gantry config")
	committed := must(w.admin.SetConfig(ctx, operator.SetConfig{Model: "m", Application: "db", Set: map[string]string{"size": "7"}}))(t)
	end(nil)
	cli.Flush(w.ctx)
	root := here.GetSpans()[0]
	want := []string{"commit", "effect config", "push", "request /gantry.v1.Settings/SetConfig", "solve"}
	var names []string
	for began := time.Now(); time.Since(began) < patience && !slices.Equal(names, want); {
		control.Flush(w.ctx)
		names = nil
		for _, s := range there.GetSpans() {
			if s.SpanContext.TraceID() == root.SpanContext.TraceID() {
				names = append(names, s.Name)
			}
		}
		slices.Sort(names)
		names = slices.Compact(names)
	}
	if !slices.Equal(names, want) {
		t.Fatalf("the trace has %q, wanted %q", names, want)
	}
	parents := map[string]string{}
	for _, s := range there.GetSpans() {
		for _, p := range append(there.GetSpans(), root) {
			if s.Parent.SpanID() == p.SpanContext.SpanID() {
				parents[s.Name] = p.Name
			}
		}
		for _, a := range s.Attributes {
			if a.Key == "revision" && uint64(a.Value.AsInt64()) != committed.Revision {
				t.Errorf("%s is of revision %d, wanted %d", s.Name, a.Value.AsInt64(), committed.Revision)
			}
		}
	}
	if parents["commit"] != want[3] || parents[want[3]] != "gantry config" || parents["push"] != "commit" || parents["effect config"] != "push" {
		t.Errorf("parents are %v", parents)
	}
}
