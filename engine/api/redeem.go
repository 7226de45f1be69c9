package api

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// How long a registration waits to be redeemed, and how long a renewed
// certificate goes on beside the new one.
const (
	registrationLife = 24 * time.Hour
	renewalOverlap   = 24 * time.Hour
)

// userBearer begins the name of who registers as a user; no machine's UUID
// does.
const userBearer = "user:"

// Redeem answers a token with a certificate for its machine or its user, once:
// the token is spent and the certificate made known in one entry.
func (s *Service) Redeem(ctx context.Context, secret string, csr []byte) (operator.Credential, error) {
	who, err := caller(ctx, Join, "")
	if err != nil {
		return operator.Credential{}, err
	}
	hash := HashToken(secret)
	// Known before a signature is worth its time; state decides.
	if t, known := s.log.State().Token(hash); known && (t.User != "") != strings.HasPrefix(who.Name, userBearer) {
		return operator.Credential{}, fmt.Errorf("join: the token is not valid: ask for another: %w", model.ErrDenied)
	}
	joins := Identity{Kind: AgentCaller, Name: who.Name}
	if name, user := strings.CutPrefix(who.Name, userBearer); user {
		joins = Identity{Kind: UserCaller, Name: name}
	}
	signed, err := s.c.Authority.Sign(csr, joins, 0)
	if err != nil {
		return operator.Credential{}, err
	}
	op := state.RedeemToken{Hash: hash, Certificate: signed.Fingerprint, Until: signed.Until}
	if joins.Kind == AgentCaller {
		op.Machine = joins.Name
	}
	if _, err = s.said(ctx, who, op); err != nil {
		return operator.Credential{}, err
	}
	return operator.Credential{Certificate: signed.Certificate, CA: s.c.Authority.PEM()}, nil
}

// register makes a registration token for a user, and the op that makes it
// known.
func (s *Service) register(name model.UserName) (operator.Registration, state.AddToken, error) {
	token, hash, err := s.c.Authority.IssueToken(userBearer + string(name))
	expires := s.c.Now().Add(registrationLife)
	return operator.Registration{Token: token, Expires: expires}, state.AddToken{Hash: hash, User: name, Expires: expires}, err
}

// RenewUser certifies another key for the calling user.
func (s *Service) RenewUser(ctx context.Context, csr []byte) (operator.Credential, error) {
	who, err := caller(ctx, Login, "")
	if err != nil {
		return operator.Credential{}, err
	}
	if who.Kind != UserCaller {
		return operator.Credential{}, fmt.Errorf("%v is not renewed: make another with gantry token create: %w", who, model.ErrDenied)
	}
	return s.renew(ctx, who, csr)
}

// RenewAgent certifies another key for the calling agent.
func (s *Service) RenewAgent(ctx context.Context, csr []byte) (operator.Credential, error) {
	who, _, err := s.on(ctx)
	if err != nil {
		return operator.Credential{}, err
	}
	return s.renew(ctx, who, csr)
}

// RenewHost certifies another key for the calling host agent.
func (s *Service) RenewHost(ctx context.Context, csr []byte) (operator.Credential, error) {
	who, err := caller(ctx, Host, "")
	if err != nil {
		return operator.Credential{}, err
	}
	return s.renew(ctx, who, csr)
}

func (s *Service) renew(ctx context.Context, who Identity, csr []byte) (operator.Credential, error) {
	signed, err := s.c.Authority.Sign(csr, who, 0)
	if err != nil {
		return operator.Credential{}, err
	}
	op := state.RenewCertificate{Was: who.Fingerprint, Certificate: signed.Fingerprint, Overlap: renewalOverlap}
	if who.Kind == UserCaller {
		op.Until = signed.Until
	} else {
		op.Agent = who.Name
	}
	if _, err := s.said(ctx, who, op); err != nil {
		return operator.Credential{}, err
	}
	return operator.Credential{Certificate: signed.Certificate, CA: s.c.Authority.PEM()}, nil
}
