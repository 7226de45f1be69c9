package trace

import (
	"context"
	"fmt"
	"os"
	"strings"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"

	"github.com/gantry-orchestrator/gantry/model"
)

// Variables of the environment that name a place for spans. The first is
// OpenTelemetry's own: the base URL of a collector that takes OTLP over HTTP.
const (
	EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT"
	FileVariable     = "GANTRY_TRACE_FILE" // JSON, a span a line; for sites without a collector
)

// Open traces to the place that the environment names; to none, a nil Tracer.
func Open(ctx context.Context, getenv func(string) string, service, version string) (*Tracer, error) {
	endpoint, file := getenv(EndpointVariable), getenv(FileVariable)
	switch {
	case endpoint != "" && file != "":
		return nil, fmt.Errorf("%s and %s are both set: choose one: %w", EndpointVariable, FileVariable, model.ErrInvalid)
	case file != "":
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
		to, err := stdouttrace.New(stdouttrace.WithWriter(f))
		if err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
		return New(service, version, to), nil
	case endpoint != "":
		to, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
		if err != nil {
			return nil, fmt.Errorf("trace: %w", err)
		}
		return New(service, version, to), nil
	}
	return nil, nil
}
