package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Physician measures how the control plane fares.
type Physician interface {
	// Health is what was found last.
	Health() operator.Health
	// Vitals are this controller's own.
	Vitals() operator.Vitals
}

// Health returns what was found last.
func (s *Service) Health(ctx context.Context) (operator.Health, error) {
	if _, err := caller(ctx, Login, ""); err != nil {
		return operator.Health{}, err
	}
	if s.c.Physician == nil {
		return operator.Health{}, errUnmeasured
	}
	return s.c.Physician.Health(), nil
}

// Vitals returns what this controller measures of itself to another one.
func (s *Service) Vitals(ctx context.Context) (operator.Vitals, error) {
	if _, err := caller(ctx, Peer, ""); err != nil {
		return operator.Vitals{}, err
	}
	if s.c.Physician == nil {
		return operator.Vitals{}, errUnmeasured
	}
	return s.c.Physician.Vitals(), nil
}

// degraded says in the model of the controllers why they are less than they
// should be.
func (s *Service) degraded() []string {
	if s.c.Physician == nil {
		return nil
	}
	return s.c.Physician.Health().Degraded()
}

var errUnmeasured = fmt.Errorf("this controller does not measure how it fares: %w", model.ErrUnavailable)
