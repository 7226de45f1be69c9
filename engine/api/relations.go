package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Integrate joins two endpoints; one that is not named is found.
func (s *Service) Integrate(ctx context.Context, r operator.Integrate) (operator.Integrated, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Integrated{}, err
	}
	a, b, err := solver.MatchIn(s.log.State(), r.Model, r.A, r.B)
	if err != nil {
		return operator.Integrated{}, err
	}
	result, err := s.change(ctx, who, r.Change, state.AddRelation{Model: r.Model, A: a, B: b})
	if err != nil {
		return operator.Integrated{}, err
	}
	made := operator.Integrated{Committed: committed(result), A: a, B: b}
	for _, key := range result.Created {
		if ref, ok := key.Relation(); ok && key.Table == tables.Relation {
			made.Relation = ref.Relation
		}
	}
	return made, nil
}

// RemoveRelation asks that a relation go.
func (s *Service) RemoveRelation(ctx context.Context, r operator.RemoveRelation) (operator.Committed, error) {
	who, err := caller(ctx, Write, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	id := r.Relation
	if id == 0 {
		if id, err = relationBetween(s.log.State(), r.Model, r.A, r.B); err != nil {
			return operator.Committed{}, err
		}
	}
	return s.changed(ctx, who, r.Change, state.RemoveRelation{Model: r.Model, Relation: id, Force: r.Force})
}

// relationBetween finds the one relation that two ends name.
func relationBetween(st state.State, m model.ModelName, a, b model.EndpointRef) (model.RelationID, error) {
	var found []state.Relation
	for _, r := range st.Relations(state.ApplicationRef{Model: m, Application: a.Application}) {
		if r.Peer() {
			continue
		}
		own, remote, _ := r.End(a.Application)
		if remote.Application == b.Application && names(a, own) && names(b, remote) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0].ID, nil
	case 0:
		return 0, fmt.Errorf("relation of %v and %v in model %s: %w", a, b, m, model.ErrNotFound)
	default:
		return 0, fmt.Errorf("%v and %v have %d relations: name the endpoints: %w", a, b, len(found), model.ErrInvalid)
	}
}

func names(ref model.EndpointRef, e state.End) bool {
	return ref.Endpoint == "" || ref.Endpoint == e.Endpoint
}
