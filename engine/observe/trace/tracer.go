package trace

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// keptCauses is how many revisions are remembered: what follows from an older
// one is no longer traced.
const keptCauses = 1024

// Tracer is safe for concurrent use; nil traces nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	spans    sdk.SpanProcessor
	tracer   api.Tracer

	mu       sync.Mutex
	expected recent[string] // by a command's key
	causes   recent[uint64] // by revision
}

// recent are the latest spans by what they are known by.
type recent[K comparable] struct {
	by    map[K]api.SpanContext
	order []K // oldest first
}

func (r *recent[K]) put(key K, span api.SpanContext) {
	if r.by == nil {
		r.by = map[K]api.SpanContext{}
	}
	if _, known := r.by[key]; !known {
		r.order = append(r.order, key)
	}
	if r.by[key] = span; len(r.order) > keptCauses {
		delete(r.by, r.order[0])
		r.order = r.order[1:]
	}
}

// New traces to an exporter.
func New(service, version string, to sdk.SpanExporter) *Tracer {
	spans := sdk.NewBatchSpanProcessor(to, sdk.WithBatchTimeout(time.Second))
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans), sdk.WithResource(identity(service, version)))
	return &Tracer{
		provider: provider, spans: spans, tracer: provider.Tracer("gantry"),
	}
}

func identity(service, version string) *resource.Resource {
	return resource.NewSchemaless(attribute.String("service.name", service), attribute.String("service.version", version))
}

// Flush hands on what has ended.
func (t *Tracer) Flush(ctx context.Context) {
	if t != nil {
		_ = t.provider.ForceFlush(ctx) // nothing depends on spans
	}
}

// Close hands on what has ended and traces nothing more.
func (t *Tracer) Close(ctx context.Context) {
	if t != nil {
		_ = t.provider.Shutdown(ctx) // nothing depends on spans
	}
}

// Begin begins a trace.
func (t *Tracer) Begin(ctx context.Context, name string) (context.Context, func(error)) {
	if t == nil {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, ended(span)
}

// Part begins a part of what ctx is traced for. Where that is nothing it does
// nothing.
func (t *Tracer) Part(ctx context.Context, name string) (context.Context, func(error)) {
	if t == nil || !api.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	return t.Begin(ctx, name)
}

func ended(span api.Span) func(error) {
	return func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// Say adds a figure to what ctx is a part of.
func Say(ctx context.Context, key string, n uint64) {
	api.SpanFromContext(ctx).SetAttributes(attribute.Int64(key, int64(n)))
}

var propagator propagation.TraceContext

// Header is what ctx is traced for, as it travels; empty for nothing.
func Header(ctx context.Context) string {
	if !api.SpanContextFromContext(ctx).IsValid() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagator.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Of has ctx be a part of what came with a header. Nonsense is passed over.
func Of(ctx context.Context, header string) context.Context {
	if header == "" {
		return ctx
	}
	return propagator.Extract(ctx, propagation.MapCarrier{"traceparent": header})
}

// Expect remembers, by its key, that what ctx is traced for is about to make a
// revision: what follows may be looked at before the answer is here.
func (t *Tracer) Expect(ctx context.Context, key string) {
	span := api.SpanContextFromContext(ctx)
	if t == nil || !span.IsValid() || key == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expected.put(key, span)
}

// Made says which revision came of a key.
func (t *Tracer) Made(key string, revision uint64) {
	if t == nil || key == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if span, ok := t.expected.by[key]; ok {
		t.causes.put(revision, span)
	}
}

// Following has ctx be a part of what made a revision. It reports whether that
// is traced.
func (t *Tracer) Following(ctx context.Context, revision uint64) (context.Context, bool) {
	if t == nil {
		return ctx, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	span, ok := t.causes.by[revision]
	if !ok {
		return ctx, false
	}
	return api.ContextWithSpanContext(ctx, span), true
}

// Past records a part of what ctx is traced for that has ended already, and has
// ctx be a part of that.
func (t *Tracer) Past(ctx context.Context, name string, began time.Time, figures map[string]int) context.Context {
	if t == nil || !api.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	ctx, span := t.tracer.Start(ctx, name, api.WithTimestamp(began))
	for key, n := range figures {
		span.SetAttributes(attribute.Int(key, n))
	}
	span.End()
	return ctx
}

// Told takes what an agent did, on a machine, of what was asked for here of
// late. It returns how many spans it took.
func (t *Tracer) Told(machine string, spans []effect.Span) (taken int) {
	if t == nil {
		return 0
	}
	for _, s := range spans {
		parent := api.SpanContextFromContext(Of(context.Background(), s.Parent))
		id, err := api.SpanIDFromHex(s.ID)
		if err != nil || !parent.IsValid() || !t.knows(parent.TraceID()) {
			continue
		}
		stub := tracetest.SpanStub{
			Name: s.Name, StartTime: s.Start, EndTime: s.End, Parent: parent, SpanKind: api.SpanKindInternal,
			SpanContext: api.NewSpanContext(api.SpanContextConfig{TraceID: parent.TraceID(), SpanID: id, TraceFlags: parent.TraceFlags()}),
			Resource:    identity("gantry-agent", ""),
			Attributes:  []attribute.KeyValue{attribute.String("machine", machine)},
		}
		for _, key := range sortedKeys(s.Attributes) {
			stub.Attributes = append(stub.Attributes, attribute.String(key, s.Attributes[key]))
		}
		if s.Error != "" {
			stub.Status = sdk.Status{Code: codes.Error, Description: s.Error}
		}
		t.spans.OnEnd(stub.Snapshot())
		taken++
	}
	return taken
}

// knows reports whether a trace is of something that was asked for of late.
func (t *Tracer) knows(id api.TraceID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, span := range t.causes.by {
		if span.TraceID() == id {
			return true
		}
	}
	return false
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
