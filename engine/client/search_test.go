package client

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/engine/wire"
)

func refusal() error { return status.Error(codes.Unavailable, "this controller does not lead") }

func TestWhoLeadsIsTriedFirstOnceItIsNamed(t *testing.T) {
	r := newRoute(nil, []string{"a:1", "b:1"}, nil, nil)
	v := r.judge("a:1", nil, metadata.Pairs(wire.HeaderLeader, "c:1"), refusal())
	if !v.undone || v.leader != "c:1" || r.candidates(nil)[0] != "c:1" {
		t.Errorf("%+v, tried in the order %v", v, r.candidates(nil))
	}
}

func TestTheControllersThatAreToldOfAreLearnedOnceAndTriedToo(t *testing.T) {
	var learned [][]string
	r := newRoute(nil, []string{"a:1"}, nil, func(all []string) { learned = append(learned, all) })
	for range 2 {
		r.judge("a:1", metadata.Pairs(wire.HeaderControllers, "a:1,b:1"), nil, nil)
	}
	if len(learned) != 1 || len(r.candidates(nil)) != 2 {
		t.Errorf("learned %v, tried %v", learned, r.candidates(nil))
	}
}

func TestARequestIsSentAgainOnlyWhereThatDoesNoHarm(t *testing.T) {
	for _, test := range []struct {
		rule       string
		v          verdict
		repeatable bool
		again      bool
	}{
		{"refused for want of leadership, by one who knows who leads", verdict{err: refusal(), undone: true, leader: "b:1", answered: true}, false, true},
		{"refused for want of leadership, while nobody leads", verdict{err: refusal(), undone: true, answered: true}, false, true},
		{"lost on the way, and it carries a key", verdict{err: refusal()}, true, true},
		{"lost on the way, and what came of it is not known", verdict{err: refusal()}, false, false},
		{"answered with an error", verdict{err: status.Error(codes.NotFound, "no"), answered: true}, true, false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if got := newSearch().again(t.Context(), "a:1", test.v, test.repeatable); got != test.again {
				t.Errorf("sent again: %v", got)
			}
		})
	}
}

func TestASearchEndsWithItsRequest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if newSearch().again(ctx, "a:1", verdict{err: refusal(), undone: true, leader: "b:1", answered: true}, true) {
		t.Error("it goes on after the request was given up")
	}
}

func TestWhoReachesNobodyInTheEndIsToldWhyItWasRefused(t *testing.T) {
	alone, unreached := verdict{err: refusal(), undone: true, answered: true}, errors.New("no controller is reached")
	for _, test := range []struct {
		rule     string
		verdicts []verdict
		refused  bool
	}{
		{"by one who knows why nobody leads", []verdict{alone}, true},
		{"by one who only named another", []verdict{{err: refusal(), undone: true, leader: "b:1", answered: true}}, false},
		{"but not where an attempt was lost, which may have been carried out", []verdict{alone, {err: refusal()}, alone}, false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			s := newSearch()
			for _, v := range test.verdicts {
				s.again(t.Context(), "a:1", v, true)
			}
			if told := s.failed(t.Context(), unreached); errors.Is(told, unreached) == test.refused {
				t.Errorf("it was told %v", told)
			}
		})
	}
}

func TestAStaleAnswerIsSaidToBe(t *testing.T) {
	r := newRoute(nil, []string{"a:1"}, nil, nil)
	r.judge("a:1", metadata.Pairs(wire.HeaderStale, "index 7, no leader"), nil, nil)
	if r.Stale() != "index 7, no leader" {
		t.Errorf("stale: %q", r.Stale())
	}
	r.judge("a:1", nil, nil, nil)
	if r.Stale() != "" {
		t.Errorf("an answer of who leads is stale: %q", r.Stale())
	}
}
