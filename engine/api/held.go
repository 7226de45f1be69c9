package api

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
)

// held are the streams that are open, by whose rights they are. The zero value
// is ready.
type held struct {
	mu sync.Mutex
	by map[string]map[*hold]bool // "user/ann", "token/FINGERPRINT", "agent/UUID"
}

// hold is one stream.
type hold struct {
	grant
	cancel context.CancelCauseFunc
}

// Hold makes a context that ends when what a stream was admitted for is taken
// from its caller. The context that it is made from must end with the stream.
func (s *Service) Hold(ctx context.Context) context.Context {
	g, ok := ctx.Value(grantKey{}).(grant)
	if !ok {
		return ctx
	}
	ctx, cancel := context.WithCancelCause(ctx)
	one := &hold{g, cancel}
	subjects := []string{string(g.who.Kind) + "/" + g.who.Name}
	switch g.who.Kind {
	case HostCaller:
		subjects[0] = "agent/" + g.who.Name // as its row is kept
	case TokenCaller:
		subjects[0] = "token/" + g.who.Fingerprint
		if t, ok := s.log.State().Token(g.who.Fingerprint); ok {
			subjects = append(subjects, "user/"+string(t.User))
			var end context.CancelFunc
			ctx, end = context.WithTimeoutCause(ctx, t.Expires.Sub(s.c.Now()), errExpired)
			context.AfterFunc(ctx, end)
		}
	}
	s.held.add(one, subjects)
	context.AfterFunc(ctx, func() { s.held.drop(one, subjects) })
	s.check(s.log.State(), one) // what was taken in between
	return ctx
}

var errExpired = errors.Join(errors.New("the token has expired"), model.ErrDenied)

func (h *held) add(one *hold, subjects []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[string]map[*hold]bool{}
	}
	for _, subject := range subjects {
		if h.by[subject] == nil {
			h.by[subject] = map[*hold]bool{}
		}
		h.by[subject][one] = true
	}
}

func (h *held) drop(one *hold, subjects []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, subject := range subjects {
		delete(h.by[subject], one)
		if len(h.by[subject]) == 0 {
			delete(h.by, subject)
		}
	}
}

// of returns the streams of a subject, or all of them for "".
func (h *held) of(subject string) (list []*hold) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if subject != "" {
		return slices.Collect(maps.Keys(h.by[subject]))
	}
	for _, holds := range h.by {
		list = slices.AppendSeq(list, maps.Keys(holds))
	}
	return list
}

// check ends a stream that would not be admitted now. An agent whose
// certificate was only renewed since it began, however often, goes on.
func (s *Service) check(st state.State, one *hold) {
	err := s.admits(st, one.who, one.access, one.model)
	if err == nil {
		return
	}
	if a, ok := st.Agent(one.who.Name); ok && a.Was != "" && (one.who.Kind == AgentCaller || one.who.Kind == HostCaller) {
		return // who joins anew begins with nothing before it
	}
	one.cancel(err)
}

// Enforce ends open streams whose rights are taken, until ctx ends.
func (s *Service) Enforce(ctx context.Context) error {
	index := s.log.State().Index()
	for {
		changes, next, err := s.log.Changes(ctx, index)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, model.ErrNotFound): // too far behind
			next = s.log.State().Index()
			changes = []Change{{Keys: []state.Key{{}}}}
		case err != nil:
			return err
		}
		st := s.log.State()
		for _, c := range changes {
			for _, k := range c.Keys {
				subject, concerns := subjectOf(k)
				if !concerns {
					continue
				}
				for _, one := range s.held.of(subject) {
					s.check(st, one)
				}
			}
		}
		index = next
	}
}

// subjectOf is whose rights a row is about.
func subjectOf(k state.Key) (subject string, concerns bool) {
	switch k.Table {
	case "":
		return "", true
	case "user", "access":
		return "user/" + k.ID, true
	case "token", "agent":
		return string(k.Table) + "/" + k.ID, true
	default:
		return "", false
	}
}
