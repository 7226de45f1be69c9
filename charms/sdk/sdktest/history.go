package sdktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// checkHistory draws what may happen to an application, in the middle of its
// founding too: leaders change, facts are stale, services crash, units come,
// go and are cut off, options change. The twin must stay safe after every
// event, nothing may be destroyed, and no task that is not idempotent may be
// done twice for its key.
func checkHistory(t *testing.T, b sdk.Builtin, s Scenario) {
	rapid.Check(t, func(t *rapid.T) {
		m := New(t, b, s)
		h := &history{t: t, m: m, s: s, old: map[string]map[effect.ProbeID]effect.Fact{}}
		m.stale = h.stale
		for range rapid.IntRange(1, 8).Draw(t, "events") {
			for range rapid.IntRange(0, 6).Draw(t, "passes") {
				_ = m.pass() || m.grant() || m.drain()
				h.limits()
			}
			h.happens()
		}
		m.stale = nil
		for _, n := range slices.Clone(h.cut) {
			h.heal(n)
		}
		m.Settle()
		if err := m.deeds(); err != nil {
			t.Fatal(err)
		}
	})
}

type history struct {
	t   *rapid.T
	m   *Model
	s   Scenario
	cut []int
	old map[string]map[effect.ProbeID]effect.Fact
}

// stale gives a unit now and then the facts that it was given before.
func (h *history) stale(u *Unit, facts map[effect.ProbeID]effect.Fact) map[effect.ProbeID]effect.Fact {
	name := u.name.String()
	if old, known := h.old[name]; known && rapid.IntRange(0, 5).Draw(h.t, "stale") == 0 {
		return old
	}
	h.old[name] = maps.Clone(facts)
	return facts
}

func (h *history) happens() {
	units := h.m.Units()
	u := rapid.SampledFrom(units).Draw(h.t, "unit")
	number := u.name.Number
	faulty := slices.Contains(h.cut, number)
	switch rapid.SampledFrom([]string{"lead", "crash", "cut", "heal", "configure", "add", "remove"}).Draw(h.t, "event") {
	case "lead":
		h.m.Lead(number)
	case "crash":
		if len(h.cut) < h.s.Faults {
			for _, s := range u.want.Services {
				h.m.Crash(number, s.ID)
			}
		}
	case "cut":
		if !faulty && len(h.cut) < h.s.Faults {
			h.cut = append(h.cut, number)
			h.m.Cut(number)
		}
	case "heal":
		if faulty {
			h.heal(number)
		}
	case "configure":
		if len(h.s.Changes) > 0 {
			h.m.Configure(rapid.SampledFrom(h.s.Changes).Draw(h.t, "options"))
		}
	case "add":
		if len(units) < h.s.Units+2 {
			h.m.AddUnit()
		}
	case "remove":
		if len(units) > max(h.s.Units, 2) && len(h.cut) == 0 {
			h.m.RemoveUnit(number)
		}
	}
}

func (h *history) heal(number int) {
	h.cut = slices.DeleteFunc(h.cut, func(n int) bool { return n == number })
	if slices.ContainsFunc(h.m.Units(), func(u *Unit) bool { return u.name.Number == number }) {
		h.m.Heal(number)
	}
}

// limits holds that no turn is held by more units than its limit.
func (h *history) limits() {
	for _, u := range h.m.Units() {
		for _, turn := range u.holding {
			if n := h.m.holders(turn.Name); n > max(turn.Limit, 1) {
				h.t.Fatalf("%d units hold turn %s, limit %d", n, turn.Name, max(turn.Limit, 1))
			}
		}
	}
}

// deeds looks through all that was done for what must never be.
func (m *Model) deeds() error {
	did := map[string]string{}
	for _, u := range m.units {
		for _, s := range u.done {
			if s.Destroys {
				return fmt.Errorf("%s destroys %s without a warrant", u.name, s.ID)
			}
			t := s.Effect.Task
			if s.Kind != effect.Run || t.Idempotent || t.Scope != effect.ApplicationScope {
				continue
			}
			deed := string(t.ID) + " key " + t.Key
			if by, twice := did[deed]; twice {
				return fmt.Errorf("%s does %s, which %s did before", u.name, deed, by)
			}
			did[deed] = u.name.String()
		}
	}
	return nil
}

func decode[V any](s string) V {
	var v V
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		panic("sdktest: a contract type does not decode: " + err.Error())
	}
	return v
}
