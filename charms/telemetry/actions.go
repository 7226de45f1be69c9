package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/program"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// RunAction implements sdk.ActionRunner.
func (Charm) RunAction(ctx context.Context, action effect.Invocation) (map[string]string, error) {
	switch action.Name {
	case "count":
		return countPackets(ctx, action.Input)
	case "audit":
		return auditUnit(ctx, action.Input)
	default:
		return nil, fmt.Errorf("action %q: %w", action.Name, model.ErrNotFound)
	}
}

// countPackets asks the running program.
func countPackets(ctx context.Context, in effect.Input) (map[string]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+sdk.HostPort(in, metricsPort)+"/count", nil)
	if err != nil {
		return nil, fmt.Errorf("count packets: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("count packets: telemetry does not answer, see its log: %w: %w", err, model.ErrUnavailable)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	var answer map[string]any
	decoder := json.NewDecoder(io.LimitReader(response.Body, 1<<16))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return nil, fmt.Errorf("count packets: %w", err)
	}
	result := map[string]string{}
	for key, value := range answer {
		if value == nil {
			value = "unknown"
		}
		result[key] = fmt.Sprint(value)
	}
	return result, nil
}

// auditUnit compares the archive with the unit's ledger. Faults are a failure
// that carries the summary.
func auditUnit(ctx context.Context, in effect.Input) (map[string]string, error) {
	var report, summary strings.Builder
	err := program.AuditConfigured(ctx, configFile(in), &report, &summary)
	if errors.Is(err, program.ErrFaults) {
		return nil, fmt.Errorf("%w:\n%s\n%s", err, summary.String(), report.String())
	}
	if err != nil {
		return nil, err
	}
	return map[string]string{"report": report.String(), "summary": summary.String()}, nil
}
