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
	PeerCaller  Kind = "controller"
	TokenCaller Kind = "token" // a pipeline, by the ID of its token
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
	Peer
	AddModels // an operator who may make models
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
	case Login, Read, Write, Admin, AddModels, Superuser:
		if who.Kind != UserCaller && who.Kind != TokenCaller {
			return denied("this request is for operators")
		}
		o, ok := s.operator(st, who)
		if !ok {
			return denied("no login with this certificate: ask an administrator for gantry add-user")
		}
		if access == Login || o.Superuser && o.token == nil {
			return nil
		}
		if access == Superuser || m == state.ControllerModel && access >= Write {
			return denied("this request is for administrators of the controller")
		}
		if access == AddModels {
			if o.AddModels && o.token == nil {
				return nil
			}
			return denied("this request is for those who may add models: ask an administrator for gantry grant NAME add-model")
		}
		if levelOf(o.level(st, m)) < access {
			return denied(fmt.Sprintf("no access to model %s that allows this: ask its administrator for gantry grant", m))
		}
		return nil
	case Agent, Host:
		wanted := map[Access]Kind{Agent: AgentCaller, Host: HostCaller}[access]
		agent, ok := st.Agent(who.Name)
		if who.Kind != wanted || !ok || !agent.Speaks(who.Fingerprint, s.c.Now()) || agent.Host != (access == Host) {
			return denied(fmt.Sprintf("this request is for a joined %s", wanted))
		}
		return nil
	case Join:
		if who.Kind != JoinCaller {
			return denied("this request is for the bearer of a token")
		}
		return nil
	case Peer:
		row, ok := st.Controller(who.Name)
		unheard := len(st.Controllers()) == 0 // this controller has started and heard of nothing yet
		if who.Kind != PeerCaller || !ok && !unheard || !row.Left.IsZero() {
			return denied("this request is for a controller")
		}
		return nil
	default:
		return denied("the request declares no permission")
	}
}

// operatorCaller is the user for whom a caller speaks, and the token where it is one
// that speaks.
type operatorCaller struct {
	state.User
	token *state.Token
}

// operator returns for whom a user's or a token's certificate speaks.
func (s *Service) operator(st state.State, who Identity) (operatorCaller, bool) {
	now := s.c.Now()
	if who.Kind == TokenCaller {
		t, ok := st.Token(who.Fingerprint)
		if !ok || t.ID == "" || t.ID != who.Name || now.After(t.Expires) {
			return operatorCaller{}, false
		}
		u, ok := st.User(t.User)
		return operatorCaller{u, &t}, ok && !u.Disabled
	}
	u, ok := st.UserOf(who.Fingerprint)
	ok = ok && who.Kind == UserCaller && string(u.Name) == who.Name && !u.Disabled && u.Speaks(who.Fingerprint, now)
	return operatorCaller{User: u}, ok
}

// level is what the operator may do with a model: with a token, no more than
// that allows.
func (o operatorCaller) level(st state.State, m model.ModelName) model.AccessLevel {
	has := st.Access(o.Name, m)
	if o.Superuser {
		has = model.AdminAccess
	}
	if o.token == nil {
		return has
	}
	switch {
	case o.token.Model != m:
		return ""
	case has.Includes(o.token.Level):
		return o.token.Level
	default:
		return has
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
