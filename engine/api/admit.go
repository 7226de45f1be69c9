package api

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// Kind is what a caller is.
type Kind string

// The kinds of caller.
const (
	UserCaller  Kind = "user"  // an operator, by name
	AgentCaller Kind = "agent" // of a machine, by its UUID
	HostCaller  Kind = "host"  // a host agent, by its id
	JoinCaller  Kind = "join"  // the bearer of a token
)

// Identity is who calls, as the transport authenticated it.
type Identity struct {
	Kind        Kind
	Name        string
	Fingerprint string // of the certificate
}

// String writes the identity as an author, e.g. "user/admin".
func (i Identity) String() string { return string(i.Kind) + "/" + i.Name }

// Access is what a request needs of its caller.
type Access uint8

// The accesses. Those to a model rise.
const (
	Nobody Access = iota // the zero value admits no one
	Login
	Read
	Write
	Admin
	Superuser
	Agent
	Host
	Join
)

// grant is what a caller was admitted for.
type grant struct {
	who    Identity
	access Access
	model  model.ModelName // of Read, Write and Admin
}

type grantKey struct{}

// Admit decides whether a caller may make a request that needs access, to
// model m where it is to a model. The context it returns carries the decision
// to the methods of Service.
func (s *Service) Admit(ctx context.Context, who Identity, access Access, m model.ModelName) (context.Context, error) {
	if err := s.admits(s.log.State(), who, access, m); err != nil {
		return nil, err
	}
	return context.WithValue(ctx, grantKey{}, grant{who, access, m}), nil
}

func (s *Service) admits(st state.State, who Identity, access Access, m model.ModelName) error {
	denied := func(why string) error {
		return fmt.Errorf("%v: %s: %w", who, why, model.ErrDenied)
	}
	switch access {
	case Login, Read, Write, Admin, Superuser:
		if who.Kind != UserCaller {
			return denied("this request is for operators")
		}
		user, ok := st.UserOf(who.Fingerprint)
		if !ok || string(user.Name) != who.Name || user.Disabled {
			return denied("no login with this certificate: ask an administrator for gantry add-user")
		}
		if access == Login || user.Superuser {
			return nil
		}
		if access == Superuser {
			return denied("this request is for administrators of the controller")
		}
		if levelOf(st.Access(user.Name, m)) < access {
			return denied(fmt.Sprintf("no access to model %s that allows this: ask its administrator for gantry grant", m))
		}
		return nil
	case Agent, Host:
		wanted := map[Access]Kind{Agent: AgentCaller, Host: HostCaller}[access]
		agent, ok := st.Agent(who.Name)
		if who.Kind != wanted || !ok || agent.Certificate != who.Fingerprint || agent.Host != (access == Host) {
			return denied(fmt.Sprintf("this request is for a joined %s", wanted))
		}
		return nil
	case Join:
		if who.Kind != JoinCaller {
			return denied("this request is for the bearer of a token")
		}
		return nil
	default:
		return denied("the request declares no permission")
	}
}

func levelOf(l model.AccessLevel) Access {
	switch l {
	case model.ReadAccess:
		return Read
	case model.WriteAccess:
		return Write
	case model.AdminAccess:
		return Admin
	default:
		return Nobody
	}
}

// caller returns who was admitted for at least an access, to model m where it
// is to a model. It guards every method.
func caller(ctx context.Context, access Access, m model.ModelName) (Identity, error) {
	g, ok := ctx.Value(grantKey{}).(grant)
	enough := g.access == access
	if access >= Read && access <= Admin {
		enough = g.access >= access && g.access <= Admin && g.model == m
	}
	if !ok || !enough {
		return Identity{}, fmt.Errorf("the request was not admitted for what it does: %w", model.ErrDenied)
	}
	return g.who, nil
}
