package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// InProcess runs charms inside the caller's process: no confinement, and no
// deadline but the caller's patience. It answers as Host does.
type InProcess map[model.CharmName]sdk.Charm

// Reconcile asks a charm; its panic is an error.
func (p InProcess) Reconcile(_ context.Context, c effect.Charm, in effect.Input) (effect.Desired, error) {
	charm, err := p.charm(c)
	if err != nil {
		return effect.Desired{}, err
	}
	want, panicked := plugin.Guard(charm, in)
	if panicked != "" {
		return effect.Desired{}, fmt.Errorf("reconcile %s with charm %s: %w: %s", in.Spec.Unit, c.Name, plugin.ErrPanic, panicked)
	}
	return want, nil
}

// Call runs a call of a charm, as the caller's own user.
func (p InProcess) Call(ctx context.Context, c effect.Charm, _ string, call effect.Invocation) (string, error) {
	r, err := p.invoke(ctx, c, "call", call)
	return r.Value, err
}

// RunAction runs an action of a charm, as the caller's own user.
func (p InProcess) RunAction(ctx context.Context, c effect.Charm, _ string, action effect.Invocation) (map[string]string, error) {
	r, err := p.invoke(ctx, c, "action", action)
	return r.Output, err
}

func (p InProcess) invoke(ctx context.Context, c effect.Charm, kind string, inv effect.Invocation) (plugin.Result, error) {
	charm, err := p.charm(c)
	if err != nil {
		return plugin.Result{}, err
	}
	r := sdk.Invoke(ctx, charm, kind, inv)
	if r.Error != "" {
		return plugin.Result{}, fmt.Errorf("%s %s of charm %s on %s: %w", kind, inv.Name, c.Name, inv.Input.Spec.Unit, errors.New(r.Error))
	}
	return r, nil
}

func (p InProcess) charm(c effect.Charm) (sdk.Charm, error) {
	charm, ok := p[c.Name]
	if !ok {
		return nil, fmt.Errorf("charm %s: %w", c.Name, model.ErrNotFound)
	}
	return charm, nil
}
