package trace

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestNobodyTracesUnlessAPlaceIsNamed(t *testing.T) {
	tracer, err := Open(t.Context(), func(string) string { return "" }, "gantry", "1")
	if err != nil || tracer != nil {
		t.Fatalf("a tracer %v, %v", tracer, err)
	}
	ctx, end := tracer.Begin(t.Context(), "command")
	end(nil)
	tracer.Expect(ctx, "key")
	tracer.Made("key", 1)
	if _, traced := tracer.Following(ctx, 1); traced || Header(ctx) != "" || tracer.Told("m/0", []effect.Span{{}}) != 0 {
		t.Error("without a tracer something is traced")
	}
	tracer.Close(ctx)
	if _, err := Open(t.Context(), func(string) string { return "both" }, "gantry", "1"); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("two places: %v", err)
	}
}

func TestARevisionCarriesTheTraceOfItsKeyAndOldOnesAreForgotten(t *testing.T) {
	tracer := New("gantry", "1", tracetest.NewInMemoryExporter())
	ctx, end := tracer.Begin(t.Context(), "command")
	defer end(nil)
	tracer.Expect(ctx, "user/a:1")
	tracer.Made("user/b:2", 6)
	tracer.Made("user/a:1", 7)
	if _, traced := tracer.Following(context.Background(), 6); traced {
		t.Error("another's revision is traced")
	}
	if following, traced := tracer.Following(context.Background(), 7); !traced || Header(following) != Header(ctx) {
		t.Errorf("revision 7 is a part of %q, wanted %q", Header(following), Header(ctx))
	}
	for i := range keptCauses {
		key := fmt.Sprint(i)
		tracer.Expect(ctx, key)
		tracer.Made(key, uint64(100+i))
	}
	if _, traced := tracer.Following(context.Background(), 7); traced || len(tracer.causes.by) != keptCauses {
		t.Errorf("%d revisions are kept", len(tracer.causes.by))
	}
}

func TestAnAgentAddsToNoTraceThatWasNotAskedForHere(t *testing.T) {
	to := tracetest.NewInMemoryExporter()
	tracer := New("gantry", "1", to)
	ctx, end := tracer.Begin(t.Context(), "command")
	tracer.Expect(ctx, "key")
	tracer.Made("key", 1)
	end(nil)
	now := time.Now()
	span := func(parent, id string) effect.Span {
		return effect.Span{Parent: parent, ID: id, Name: "effect", Start: now, End: now, Error: "no space"}
	}
	taken := tracer.Told("m/0", []effect.Span{
		span("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00000000000000aa"),
		span("nonsense", "00000000000000bb"), span(Header(ctx), "short"), span(Header(ctx), "00000000000000cc"),
	})
	tracer.Flush(t.Context())
	if spans := to.GetSpans(); taken != 1 || len(spans) != 2 || spans[1].SpanContext.SpanID().String() != "00000000000000cc" || spans[1].Status.Description != "no space" {
		t.Errorf("%d taken, exported %+v", taken, spans)
	}
}
