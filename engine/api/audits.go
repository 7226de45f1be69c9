package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Audit keeps the record of every request.
type Audit interface {
	// List sends the records that a query selects, oldest first.
	List(ctx context.Context, q operator.AuditQuery, send func([]operator.AuditRecord) error) error
	// Verify reads the whole record.
	Verify(ctx context.Context) (operator.AuditVerdict, error)
}

// ListAudit sends the records that a query selects, oldest first.
func (s *Service) ListAudit(ctx context.Context, q operator.AuditQuery, send func([]operator.AuditRecord) error) error {
	if _, err := caller(ctx, Superuser, ""); err != nil {
		return err
	}
	if s.c.Audit == nil {
		return errNoAudit
	}
	return s.c.Audit.List(ctx, q, send)
}

// VerifyAudit says whether the record of requests is whole.
func (s *Service) VerifyAudit(ctx context.Context) (operator.AuditVerdict, error) {
	if _, err := caller(ctx, Superuser, ""); err != nil {
		return operator.AuditVerdict{}, err
	}
	if s.c.Audit == nil {
		return operator.AuditVerdict{}, errNoAudit
	}
	return s.c.Audit.Verify(ctx)
}

var errNoAudit = fmt.Errorf("this controller keeps no record of requests: %w", model.ErrUnavailable)
