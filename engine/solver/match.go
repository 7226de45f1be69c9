package solver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// Side is one application that an operator wants related.
type Side struct {
	Ref  model.EndpointRef // Endpoint is empty where the choice is left open
	Meta charm.Meta
	Used map[model.EndpointName]int // relations that each endpoint has
}

// Match finds the one pair of endpoints that fit: roles that complement each
// other, the same interface, room under both limits, and for a container
// relation exactly one subordinate. The implicit juju-info is taken only where
// no declared endpoint fits, or where it is named. No fit, and more than one,
// are errors that list the candidates.
func Match(a, b Side) (model.EndpointRef, model.EndpointRef, error) {
	fail := func(format string, args ...any) (model.EndpointRef, model.EndpointRef, error) {
		return model.EndpointRef{}, model.EndpointRef{}, fmt.Errorf("integrate %v with %v: %w", a.Ref, b.Ref, fmt.Errorf(format, args...))
	}
	if a.Ref.Application == b.Ref.Application {
		return fail("an application cannot be related to itself: %w", model.ErrInvalid)
	}
	for _, side := range []Side{a, b} {
		if _, ok := side.Meta.Endpoint(side.Ref.Endpoint); side.Ref.Endpoint != "" && !ok {
			return fail("%s has no endpoint %q%s; it has %s: %w", side.Ref.Application, side.Ref.Endpoint,
				model.DidYouMean(string(side.Ref.Endpoint), side.Meta.EndpointNames()), strings.Join(side.Meta.EndpointNames(), ", "), model.ErrInvalid)
		}
	}
	fits, full := candidates(a, b)
	switch {
	case len(fits) == 1:
		return a.at(fits[0].a), b.at(fits[0].b), nil
	case len(fits) > 1:
		return fail("it could be %s: name the endpoints: %w", listed(a, b, fits), model.ErrInvalid)
	case len(full) > 0:
		return fail("%s would fit, but the limit of relations is reached: remove one first: %w", listed(a, b, full), model.ErrConflict)
	default:
		return fail("no endpoints fit; %s has %s; %s has %s: %w",
			a.Ref.Application, described(a), b.Ref.Application, described(b), model.ErrInvalid)
	}
}

// MatchIn matches two endpoints of applications in a state.
func MatchIn(s state.State, m model.ModelName, a, b model.EndpointRef) (model.EndpointRef, model.EndpointRef, error) {
	sideA, err := sideOf(s, m, a)
	if err != nil {
		return a, b, err
	}
	sideB, err := sideOf(s, m, b)
	if err != nil {
		return a, b, err
	}
	return Match(sideA, sideB)
}

func sideOf(s state.State, m model.ModelName, ref model.EndpointRef) (Side, error) {
	a, ok := s.Application(state.ApplicationRef{Model: m, Application: ref.Application})
	if !ok {
		var names []string
		for _, known := range s.Applications(m) {
			names = append(names, string(known.Name))
		}
		return Side{}, fmt.Errorf("application %q%s: %w", ref.Application, model.DidYouMean(string(ref.Application), names), model.ErrNotFound)
	}
	c, _ := s.CharmOf(a)
	side := Side{Ref: ref, Meta: c.Declared.Meta, Used: map[model.EndpointName]int{}}
	for _, r := range s.Relations(a.Ref()) {
		own, _, _ := r.End(a.Name)
		side.Used[own.Endpoint]++
	}
	return side, nil
}

// pair is an endpoint of each side.
type pair struct{ a, b model.Endpoint }

// candidates returns the pairs that fit, and those that only a limit prevents.
// Where declared pairs fit, implicit ones are left out.
func candidates(a, b Side) (fits, full []pair) {
	var declared []pair
	for _, x := range a.Meta.Endpoints {
		for _, y := range b.Meta.Endpoints {
			p := pair{x, y}
			switch {
			case !a.names(x) || !b.names(y) || !fit(a, b, p):
			case !a.room(x) || !b.room(y):
				full = append(full, p)
			default:
				fits = append(fits, p)
				if !charm.IsImplicit(x) && !charm.IsImplicit(y) {
					declared = append(declared, p)
				}
			}
		}
	}
	declaredFull := slices.ContainsFunc(full, func(p pair) bool { return !charm.IsImplicit(p.a) && !charm.IsImplicit(p.b) })
	if len(declared) > 0 || declaredFull {
		fits = declared
	}
	return fits, full
}

func fit(a, b Side, p pair) bool {
	if p.a.Role == model.Peer || p.a.Role.Counterpart() != p.b.Role || p.a.Interface != p.b.Interface {
		return false
	}
	container := p.a.Scope == model.ContainerScope || p.b.Scope == model.ContainerScope
	return !container || a.Meta.Subordinate != b.Meta.Subordinate
}

func (s Side) names(e model.Endpoint) bool { return s.Ref.Endpoint == "" || s.Ref.Endpoint == e.Name }

func (s Side) room(e model.Endpoint) bool { return e.Limit == 0 || s.Used[e.Name] < e.Limit }

func (s Side) at(e model.Endpoint) model.EndpointRef {
	return model.EndpointRef{Application: s.Ref.Application, Endpoint: e.Name}
}

func listed(a, b Side, pairs []pair) string {
	texts := make([]string, len(pairs))
	for i, p := range pairs {
		texts[i] = fmt.Sprintf("%v with %v", a.at(p.a), b.at(p.b))
	}
	return strings.Join(texts, ", or ")
}

func described(s Side) string {
	texts := make([]string, len(s.Meta.Endpoints))
	for i, e := range s.Meta.Endpoints {
		texts[i] = e.String()
	}
	return strings.Join(texts, ", ")
}
