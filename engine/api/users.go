package api

import (
	"context"
	"fmt"
	"io"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// AddUser makes a login, or replaces one, and signs its certificate.
func (s *Service) AddUser(ctx context.Context, r operator.AddUser) (operator.Credential, error) {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return operator.Credential{}, err
	}
	certificate, fingerprint, err := s.c.Authority.SignUser(r.CSR, r.Name)
	if err != nil {
		return operator.Credential{}, err
	}
	_, err = s.change(ctx, who, r.Change, state.SetUser{Name: r.Name, Superuser: r.Superuser, Certificates: []string{fingerprint}})
	if err != nil {
		return operator.Credential{}, err
	}
	return operator.Credential{Certificate: certificate, CA: s.c.Authority.PEM()}, nil
}

// Grant gives a user access to a model, or takes it.
func (s *Service) Grant(ctx context.Context, r operator.Grant) (operator.Committed, error) {
	who, err := caller(ctx, Admin, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	level := model.AccessLevel(r.Access)
	if r.Access == "none" {
		level = ""
	} else if levelOf(level) == Nobody {
		return operator.Committed{}, fmt.Errorf("access %q: expected none, read, write or admin: %w", r.Access, model.ErrInvalid)
	}
	return s.changed(ctx, who, r.Change, state.SetAccess{User: r.User, Model: r.Model, Level: level})
}

// ListCharms returns the newest charm of each name.
func (s *Service) ListCharms(ctx context.Context) ([]operator.CharmSummary, error) {
	if _, err := caller(ctx, Login, ""); err != nil {
		return nil, err
	}
	var list []operator.CharmSummary
	for _, a := range s.c.Catalog.List() {
		list = append(list, charmSummary(a))
	}
	return list, nil
}

func charmSummary(a Artifact) operator.CharmSummary {
	return operator.CharmSummary{Name: a.Declared.Meta.Name, Revision: a.Hash, Summary: a.Declared.Meta.Summary, BuiltIn: a.BuiltIn}
}

// UploadCharm stores an archive under its hash.
func (s *Service) UploadCharm(ctx context.Context, m model.ModelName, archive io.Reader) (operator.CharmSummary, error) {
	if _, err := caller(ctx, Write, m); err != nil {
		return operator.CharmSummary{}, err
	}
	stored, err := s.c.Catalog.Put(archive)
	if err != nil {
		return operator.CharmSummary{}, err
	}
	return charmSummary(stored), nil
}

// Info says what answers.
func (s *Service) Info(ctx context.Context) (operator.ControllerInfo, error) {
	who, err := caller(ctx, Login, "")
	if err != nil {
		return operator.ControllerInfo{}, err
	}
	st := s.log.State()
	info := s.c.About
	_, err = s.log.Read(ctx)
	info.Leader = err == nil
	info.Index, info.Models, info.Identity = st.Index(), len(st.Models()), who.String()
	return info, nil
}

// Shutdown ends the controller.
func (s *Service) Shutdown(ctx context.Context) error {
	if _, err := caller(ctx, Superuser, ""); err != nil {
		return err
	}
	s.c.Shutdown()
	return nil
}
