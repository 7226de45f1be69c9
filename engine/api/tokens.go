package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// The lives that a pipeline's token may have.
const (
	minTokenLife = time.Minute
	maxTokenLife = 366 * 24 * time.Hour
)

// CreateToken certifies a key that speaks for the caller in one model, with an
// access that the caller has there. The certificate is the token: what is kept
// of it is its fingerprint, and its key never comes here.
func (s *Service) CreateToken(ctx context.Context, r operator.CreateToken) (operator.CreatedToken, error) {
	who, err := caller(ctx, Read, r.Model)
	if err != nil {
		return operator.CreatedToken{}, err
	}
	me, _ := s.operator(s.log.State(), who)
	switch {
	case me.token != nil:
		return operator.CreatedToken{}, fmt.Errorf("%v makes no tokens: log in as a user: %w", who, model.ErrDenied)
	case r.Access == "" || !me.level(s.log.State(), r.Model).Includes(r.Access):
		return operator.CreatedToken{}, fmt.Errorf("access %q to model %s is more than %s has: %w", r.Access, r.Model, me.Name, model.ErrDenied)
	case r.Life < minTokenLife || r.Life > maxTokenLife:
		return operator.CreatedToken{}, fmt.Errorf("life %v of a token: expected from %v to %v: %w", r.Life, minTokenLife, maxTokenLife, model.ErrInvalid)
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	id := hex.EncodeToString(random)
	signed, err := s.c.Authority.Sign(r.CSR, Identity{Kind: TokenCaller, Name: id}, r.Life)
	if err != nil {
		return operator.CreatedToken{}, err
	}
	op := state.AddToken{
		Hash: signed.Fingerprint, ID: id, User: me.Name, Model: r.Model, Level: r.Access, Label: r.Label, Expires: signed.Until,
	}
	if _, err := s.change(ctx, who, r.Change, op); err != nil {
		return operator.CreatedToken{}, err
	}
	return operator.CreatedToken{
		Token:      operator.Token{ID: id, User: me.Name, Model: r.Model, Access: r.Access, Label: r.Label, Expires: signed.Until},
		Credential: operator.Credential{Certificate: signed.Certificate, CA: s.c.Authority.PEM()},
	}, nil
}

// ListTokens returns every token to an administrator, and else the caller's.
func (s *Service) ListTokens(ctx context.Context) ([]operator.Token, error) {
	who, err := caller(ctx, Login, "")
	if err != nil {
		return nil, err
	}
	list := []operator.Token{}
	for _, t := range s.tokensFor(who) {
		list = append(list, tokenOf(t))
	}
	return list, nil
}

// tokensFor are the tokens that a caller may see and revoke.
func (s *Service) tokensFor(who Identity) (list []state.Token) {
	st, now := s.log.State(), s.c.Now()
	me, _ := s.operator(st, who)
	if me.token != nil {
		return []state.Token{*me.token}
	}
	users := []state.User{me.User}
	if me.Superuser {
		users = st.Users()
	}
	for _, u := range users {
		for _, t := range st.TokensOf(u.Name) {
			if t.ID != "" && !now.After(t.Expires) {
				list = append(list, t)
			}
		}
	}
	return list
}

func tokenOf(t state.Token) operator.Token {
	return operator.Token{ID: t.ID, User: t.User, Model: t.Model, Access: t.Level, Label: t.Label, Expires: t.Expires}
}

// RevokeToken ends a token, and the streams that it began.
func (s *Service) RevokeToken(ctx context.Context, id string, c operator.Change) (operator.Committed, error) {
	who, err := caller(ctx, Login, "")
	if err != nil {
		return operator.Committed{}, err
	}
	for _, t := range s.tokensFor(who) {
		if t.ID == id {
			return s.changed(ctx, who, c, state.Revoke{User: t.User, Tokens: []string{t.Hash}})
		}
	}
	return operator.Committed{}, fmt.Errorf("token %s, see gantry token list: %w", id, model.ErrNotFound)
}

// Logout ends the certificate or the token that it is called with.
func (s *Service) Logout(ctx context.Context, c operator.Change) (operator.Committed, error) {
	who, err := caller(ctx, Login, "")
	if err != nil {
		return operator.Committed{}, err
	}
	me, _ := s.operator(s.log.State(), who)
	op := state.Revoke{User: me.Name, Certificates: []string{who.Fingerprint}}
	if me.token != nil {
		op = state.Revoke{User: me.Name, Tokens: []string{me.token.Hash}}
	}
	return s.changed(ctx, who, c, op)
}
