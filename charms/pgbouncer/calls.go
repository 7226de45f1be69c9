package pgbouncer

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Call implements sdk.Caller.
func (Charm) Call(_ context.Context, call effect.Invocation) (string, error) {
	run, ok := requirer.Calls[call.Name]
	if !ok {
		return "", fmt.Errorf("call %q: %w", call.Name, model.ErrNotFound)
	}
	return run(call.Args)
}
