package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// on returns the machine whose agent calls.
func (s *Service) on(ctx context.Context) (Identity, state.Machine, error) {
	who, err := caller(ctx, Agent, "")
	if err != nil {
		return who, state.Machine{}, err
	}
	m, ok := s.log.State().MachineByUUID(who.Name)
	if !ok || m.Fenced {
		return who, m, fmt.Errorf("machine %s: not one of this controller's, or acknowledged lost: %w", who.Name, model.ErrDenied)
	}
	return who, m, nil
}

// speaker returns the machine whose agent calls, if the unit is on it.
func (s *Service) speaker(ctx context.Context, u model.UnitName) (Identity, state.Unit, error) {
	who, m, err := s.on(ctx)
	if err != nil {
		return who, state.Unit{}, err
	}
	unit, ok := s.log.State().Unit(state.UnitRef{Model: m.Model, Unit: u})
	if !ok || unit.Machine != m.Name {
		return who, unit, fmt.Errorf("unit %v is not on machine %s of model %s: %w", u, m.Name, m.Model, model.ErrDenied)
	}
	return who, unit, nil
}

// said proposes what an agent says.
func (s *Service) said(ctx context.Context, who Identity, ops ...state.Op) (state.Result, error) {
	return s.propose(ctx, state.Command{Version: state.FormatVersion, Origin: state.Agents, Author: who.String(), Ops: ops})
}

// Publish commits what a unit publishes.
func (s *Service) Publish(ctx context.Context, p effect.Publication) (uint64, error) {
	who, u, err := s.speaker(ctx, p.Unit)
	if err != nil {
		return 0, err
	}
	r, err := s.said(ctx, who, state.Publish{Model: u.Model, Publication: p})
	return r.Index, err
}

// PutSecret seals a secret and commits it with its owner.
func (s *Service) PutSecret(ctx context.Context, n effect.NewSecret) (string, error) {
	who, u, err := s.speaker(ctx, n.Unit)
	if err != nil {
		return "", err
	}
	op, err := s.sealed(n.Fields)
	if err != nil {
		return "", err
	}
	op.Model, op.Unit, op.Token, op.Name, op.Scope, op.Grants = u.Model, n.Unit, n.Token, n.Name, n.Scope, n.Grants
	r, err := s.said(ctx, who, op)
	if err != nil {
		return "", err
	}
	if len(r.Created) == 0 {
		return "", fmt.Errorf("secret %s of %v: state named none: %w", n.Name, n.Unit, model.ErrConflict)
	}
	return r.Created[0].ID, nil
}

// sealed is a secret under a new random ID.
func (s *Service) sealed(fields map[string][]byte) (state.PutSecret, error) {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	id := "secret:" + hex.EncodeToString(random)
	plain, err := json.Marshal(fields)
	if err != nil {
		return state.PutSecret{}, fmt.Errorf("encode a secret: %w", err)
	}
	return state.PutSecret{ID: id, Fields: slices.Sorted(maps.Keys(fields)), Sealed: s.c.Sealer.Seal(plain, id)}, nil
}

// ReadSecrets opens secrets that a unit owns, that its application owns, or
// that were granted through a relation of its application.
func (s *Service) ReadSecrets(ctx context.Context, u model.UnitName, refs []effect.SecretAt) ([]effect.OpenSecret, error) {
	_, unit, err := s.speaker(ctx, u)
	if err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	var opened []effect.OpenSecret
	for _, ref := range refs {
		secret, ok := st.Secret(unit.Model, ref.ID)
		if !ok || !mayOpen(st, unit, secret) {
			// Alike, so that who guesses IDs learns nothing.
			return nil, fmt.Errorf("secret %s is none that %v may read: %w", ref.ID, u, model.ErrDenied)
		}
		if ref.Revision != 0 && ref.Revision != secret.Revision {
			return nil, fmt.Errorf("secret %s is at revision %d: revision %d is not kept: %w", ref.ID, secret.Revision, ref.Revision, model.ErrNotFound)
		}
		one, err := s.open(secret)
		if err != nil {
			return nil, err
		}
		opened = append(opened, one)
	}
	return opened, nil
}

func (s *Service) open(secret state.Secret) (effect.OpenSecret, error) {
	out := effect.OpenSecret{SecretAt: effect.SecretAt{ID: secret.ID, Revision: secret.Revision}}
	plain, err := s.c.Sealer.Open(secret.Sealed, secret.ID)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(plain, &out.Fields); err != nil {
		return out, fmt.Errorf("secret %s does not decode: %w", secret.ID, model.ErrUnavailable)
	}
	return out, nil
}

func mayOpen(st state.State, u state.Unit, secret state.Secret) bool {
	if secret.Owner.Application == u.Name.Application {
		return secret.Owner.Unit.IsZero() || secret.Owner.Unit == u.Name
	}
	for _, id := range secret.Grants {
		r, ok := st.Relation(state.RelationRef{Model: u.Model, Relation: id})
		if !ok {
			continue
		}
		_, remote, ours := r.End(u.Name.Application)
		if ours && remote.Application == secret.Owner.Application {
			return true
		}
	}
	return false
}

// OpenClaim reserves an application task; the answer is its token.
func (s *Service) OpenClaim(ctx context.Context, c effect.Claim) (uint64, error) {
	who, u, err := s.speaker(ctx, c.Unit)
	if err != nil {
		return 0, err
	}
	r, err := s.said(ctx, who, state.OpenClaim{
		Model: u.Model, Unit: c.Unit, Task: c.Task, TaskKey: c.Key, Token: c.Token, Supersedes: c.Supersedes, Deadline: c.Deadline,
	})
	return r.Index, err
}

// CloseClaim closes a claim with its result.
func (s *Service) CloseClaim(ctx context.Context, r effect.ClaimResult) error {
	who, u, err := s.speaker(ctx, r.Unit)
	if err != nil {
		return err
	}
	op := state.CloseClaim{
		Model: u.Model, Unit: r.Unit, Task: r.Task, TaskKey: r.Key, Token: r.Token, Failed: r.Failed, Public: r.Public,
	}
	if len(r.Sealed) > 0 {
		secret, err := s.sealed(r.Sealed)
		if err != nil {
			return err
		}
		op.Secret = &secret
	}
	_, err = s.said(ctx, who, op)
	return err
}

// FinishOperation records how an operation on the agent's machine ended.
func (s *Service) FinishOperation(ctx context.Context, r effect.OperationResult) error {
	who, m, err := s.on(ctx)
	if err != nil {
		return err
	}
	st := s.log.State()
	o, ok := st.Operation(m.Model, r.ID)
	here := ok && o.Run.Machine == m.Name
	if ok && !o.Run.Unit.IsZero() {
		u, placed := st.Unit(state.UnitRef{Model: m.Model, Unit: o.Run.Unit})
		here = placed && u.Machine == m.Name
	}
	if !here {
		return fmt.Errorf("operation %s is not one of machine %s: %w", r.ID, m.Name, model.ErrDenied)
	}
	_, err = s.said(ctx, who, state.FinishOperation{Model: m.Model, Result: r})
	return err
}

// FetchCharm writes the archive of a charm that a unit on the agent's machine
// runs.
func (s *Service) FetchCharm(ctx context.Context, revision string, to io.Writer) error {
	_, m, err := s.on(ctx)
	if err != nil {
		return err
	}
	if !runsCharm(s.log.State(), m, revision) {
		return fmt.Errorf("charm %s is none of machine %s: %w", revision, m.Name, model.ErrDenied)
	}
	archive, err := s.c.Catalog.Open(revision)
	if err != nil {
		return err
	}
	defer archive.Close()
	if _, err := io.Copy(to, archive); err != nil {
		return fmt.Errorf("send charm %s: %w", revision, err)
	}
	return nil
}

// SignCharm vouches for the archive of a charm that a unit on the agent's
// machine runs.
func (s *Service) SignCharm(ctx context.Context, revision string) ([]byte, error) {
	_, m, err := s.on(ctx)
	if err != nil {
		return nil, err
	}
	if !runsCharm(s.log.State(), m, revision) {
		return nil, fmt.Errorf("charm %s is none of machine %s: %w", revision, m.Name, model.ErrDenied)
	}
	return s.c.Authority.SignCharm(revision)
}

func runsCharm(st state.State, m state.Machine, hash string) bool {
	for _, u := range st.UnitsOn(m.Ref()) {
		if a, ok := st.Application(u.Ref().Application()); ok && a.Hash == hash {
			return true
		}
	}
	return false
}

// CallingMachine is the machine whose agent calls: for its session.
func (s *Service) CallingMachine(ctx context.Context) (state.Machine, error) {
	_, m, err := s.on(ctx)
	return m, err
}
