package api

import (
	"context"
	"fmt"
	"io"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// AddUser makes a login and returns what its user registers with.
func (s *Service) AddUser(ctx context.Context, r operator.AddUser) (operator.Registration, error) {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return operator.Registration{}, err
	}
	if _, exists := s.log.State().User(r.Name); exists {
		return operator.Registration{}, fmt.Errorf("user %s exists: give another registration with gantry register-user: %w", r.Name, model.ErrConflict)
	}
	out, token, err := s.register(r.Name)
	if err != nil {
		return operator.Registration{}, err
	}
	user := state.SetUser{Name: r.Name, Superuser: r.Superuser, AddModels: r.AddModels}
	result, err := s.changeUser(ctx, who, r.Change, state.User{Name: r.Name}, user, token)
	out.Committed = committed(result)
	return out, err
}

// RegisterUser returns another registration of a user.
func (s *Service) RegisterUser(ctx context.Context, r operator.RegisterUser) (operator.Registration, error) {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return operator.Registration{}, err
	}
	u, err := s.userNamed(r.Name)
	if err != nil {
		return operator.Registration{}, err
	}
	out, token, err := s.register(r.Name)
	if err != nil {
		return operator.Registration{}, err
	}
	ops := []state.Op{token}
	if r.Revoke && len(u.Certificates) > 0 {
		ops = append(ops, state.Revoke{User: r.Name, Certificates: u.Certificates})
	}
	result, err := s.changeUser(ctx, who, r.Change, u, ops...)
	out.Committed = committed(result)
	return out, err
}

// ChangeUser changes what a user may do.
func (s *Service) ChangeUser(ctx context.Context, r operator.ChangeUser) (operator.Committed, error) {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return operator.Committed{}, err
	}
	u, err := s.userNamed(r.Name)
	if err != nil {
		return operator.Committed{}, err
	}
	op := state.SetUser{Name: u.Name, Superuser: u.Superuser, AddModels: u.AddModels, Disabled: u.Disabled}
	for at, to := range map[*bool]*bool{&op.Superuser: r.Superuser, &op.AddModels: r.AddModels, &op.Disabled: r.Disabled} {
		if to != nil {
			*at = *to
		}
	}
	result, err := s.changeUser(ctx, who, r.Change, u, op)
	return committed(result), err
}

// RemoveUser ends a user with every certificate, access and token.
func (s *Service) RemoveUser(ctx context.Context, name model.UserName, c operator.Change) (operator.Committed, error) {
	who, err := caller(ctx, Superuser, "")
	if err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, c, state.Revoke{User: name})
}

// changeUser proposes a change that was made from a user as it is: of two at
// once, the second is told to look again.
func (s *Service) changeUser(ctx context.Context, who Identity, c operator.Change, was state.User, ops ...state.Op) (state.Result, error) {
	cmd := command(ctx, who, c, ops)
	cmd.Expect = []state.Precondition{{Key: was.Key(), Index: was.ModifyIndex}}
	if s.c.Policy != nil {
		if err := s.c.Policy(ctx, who, s.log.State(), cmd); err != nil {
			return state.Result{}, err
		}
	}
	return s.propose(ctx, cmd)
}

func (s *Service) userNamed(name model.UserName) (state.User, error) {
	st := s.log.State()
	u, ok := st.User(name)
	if ok {
		return u, nil
	}
	var known []string
	for _, other := range st.Users() {
		known = append(known, string(other.Name))
	}
	return u, fmt.Errorf("user %s, see gantry users%s: %w", name, model.DidYouMean(string(name), known), model.ErrNotFound)
}

// Grant gives a user access to a model, or takes it.
func (s *Service) Grant(ctx context.Context, r operator.Grant) (operator.Committed, error) {
	who, err := caller(ctx, Admin, r.Model)
	if err != nil {
		return operator.Committed{}, err
	}
	if who.Kind == TokenCaller {
		return operator.Committed{}, fmt.Errorf("%v grants nothing: log in as a user: %w", who, model.ErrDenied)
	}
	level, err := model.ParseAccessLevel(r.Access)
	if err != nil {
		return operator.Committed{}, err
	}
	return s.changed(ctx, who, r.Change, state.SetAccess{User: r.User, Model: r.Model, Level: level})
}

// ListUsers returns every user to an administrator, and else the caller.
func (s *Service) ListUsers(ctx context.Context) ([]operator.User, error) {
	who, err := caller(ctx, Login, "")
	if err != nil {
		return nil, err
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return nil, err
	}
	me, _ := s.operator(st, who)
	if !me.Superuser || me.token != nil {
		return []operator.User{s.userOf(st, me.User)}, nil
	}
	list := []operator.User{}
	for _, u := range st.Users() {
		list = append(list, s.userOf(st, u))
	}
	return list, nil
}

// WhoAmI returns the caller.
func (s *Service) WhoAmI(ctx context.Context) (operator.WhoAmI, error) {
	who, err := caller(ctx, Login, "")
	if err != nil {
		return operator.WhoAmI{}, err
	}
	st := s.log.State()
	me, _ := s.operator(st, who)
	out := operator.WhoAmI{User: s.userOf(st, me.User), Fingerprint: who.Fingerprint, Controller: s.c.About.ID, Now: s.c.Now()}
	if me.token != nil {
		t := tokenOf(*me.token)
		out.Token = &t
	}
	return out, nil
}

func (s *Service) userOf(st state.State, u state.User) operator.User {
	now := s.c.Now()
	out := operator.User{Name: u.Name, Superuser: u.Superuser, AddModels: u.AddModels, Disabled: u.Disabled}
	for _, m := range st.Models() {
		if level := st.Access(u.Name, m.Name); level != "" {
			if out.Access == nil {
				out.Access = map[model.ModelName]model.AccessLevel{}
			}
			out.Access[m.Name] = level
		}
	}
	for _, c := range u.Certificates {
		if u.Speaks(c, now) {
			out.Certificates = append(out.Certificates, operator.Login{Fingerprint: c, Until: u.Until[c]})
		}
	}
	for _, t := range st.TokensOf(u.Name) {
		switch {
		case now.After(t.Expires):
		case t.ID != "":
			out.Tokens++
		case t.Expires.After(out.Registering):
			out.Registering = t.Expires
		}
	}
	return out
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
