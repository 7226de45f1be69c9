package physician

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/observe"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// council is three controllers as the first of them sees them.
type council struct {
	mu    sync.Mutex
	deaf  map[string]bool // answer nothing
	skew  time.Duration
	other operator.Vitals
	told  []string
	alone string
}

func (c *council) config(dir string) Config {
	return Config{
		ID: "a", Version: "1", Dir: dir, Log: slog.New(slog.DiscardHandler),
		Members: func() (list []observe.Controller) {
			for _, id := range []string{"a", "b", "c"} {
				list = append(list, observe.Controller{ID: id, Name: id, Address: id, Voter: true})
			}
			return list
		},
		Agents: func() []Agent { return []Agent{{Ref: state.MachineRef{Model: "m", Machine: "0"}, Heard: true}} },
		Reach:  func(ctx context.Context, address string) error { _, err := c.ask(ctx, address); return err },
		Ask:    c.ask,
		Backups: func() (model.Backups, string) {
			return model.Backups{Kept: []model.Backup{{Time: time.Now()}}}, ""
		},
		Certificates: func() (own, authority operator.Validity) { return },
		History:      func() (int, error) { return 0, nil },
		Alone: func() string {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.alone
		},
		Told: func(began, ended []string) {
			c.mu.Lock()
			defer c.mu.Unlock()
			for _, cause := range began {
				c.told = append(c.told, "+"+cause)
			}
			for _, cause := range ended {
				c.told = append(c.told, "-"+cause)
			}
		},
		Synced: func(time.Duration) {},
	}
}

func (c *council) ask(ctx context.Context, address string) (operator.Vitals, error) {
	c.mu.Lock()
	deaf, v, skew := c.deaf[address], c.other, c.skew
	c.mu.Unlock()
	if deaf {
		<-ctx.Done() // a silent fault: nothing refuses
		return operator.Vitals{}, errors.New("no answer")
	}
	v.ID, v.Version, v.Now = address, "1", time.Now().Add(skew)
	return v, nil
}

func (c *council) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = nil
	change()
}

func (c *council) heard() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%q", c.told)
}

// treat runs a physician that leads for as long as do takes.
func treat(t *testing.T, c *council, do func(*Physician)) {
	synctest.Test(t, func(t *testing.T) {
		p := New(c.config(t.TempDir()))
		ctx, cancel := context.WithCancel(t.Context())
		var ends sync.WaitGroup
		ends.Go(func() { _ = p.Run(ctx) })
		ends.Go(func() { _ = p.Lead(ctx) })
		time.Sleep(20 * time.Second)
		do(p)
		cancel()
		ends.Wait()
	})
}

func TestASilentFaultIsToldWithinHalfAMinuteAndThatItEndedToo(t *testing.T) {
	for fault, test := range map[string]struct {
		strike, heal func(*council)
		says         string
	}{
		"a controller that answers nothing": {
			func(c *council) { c.deaf = map[string]bool{"c": true} }, func(c *council) { c.deaf = nil }, "c: does not answer",
		},
		"a way between two others that is cut": {
			func(c *council) { c.other.Paths = []effect.Path{{To: "c", Fault: "timed out"}} }, func(c *council) { c.other.Paths = nil },
			"b: does not reach controller c: timed out",
		},
		"clocks that are off": {
			func(c *council) { c.skew = time.Second }, func(c *council) { c.skew = 0 }, "b: its clock is 1s ahead",
		},
		"a disk that has become slow": {
			func(c *council) { c.other.Fsync = 2 * time.Second }, func(c *council) { c.other.Fsync = 0 }, "b: takes 2s to keep a write",
		},
	} {
		t.Run(fault, func(t *testing.T) {
			c := &council{}
			treat(t, c, func(*Physician) {
				if told := c.heard(); told != "[]" {
					t.Errorf("before the fault: %s", told)
				}
				c.set(func() { test.strike(c) })
				time.Sleep(30 * time.Second)
				if told := c.heard(); !strings.Contains(told, `"+`+test.says) {
					t.Errorf("it told %s, wanted %q", told, test.says)
				}
				once := c.heard()
				time.Sleep(time.Minute)
				if told := c.heard(); told != once {
					t.Errorf("it is told again: %s", told)
				}
				c.set(func() { test.heal(c) })
				time.Sleep(30 * time.Second)
				if told := c.heard(); !strings.Contains(told, `"-`+test.says) {
					t.Errorf("healed, it told %s", told)
				}
			})
		})
	}
}

func TestOneMissedAnswerIsNoFault(t *testing.T) {
	c := &council{}
	treat(t, c, func(*Physician) {
		c.set(func() { c.deaf = map[string]bool{"c": true} })
		time.Sleep(roundEvery)
		c.mu.Lock()
		c.deaf = nil
		c.mu.Unlock()
		time.Sleep(time.Minute)
		if told := c.heard(); told != "[]" {
			t.Errorf("it told %s", told)
		}
	})
}

func TestAnAgentsClockIsComparedInTheMiddleOfItsRoundTrip(t *testing.T) {
	c := &council{}
	treat(t, c, func(p *Physician) {
		sent := time.Now()
		time.Sleep(time.Second) // on its way
		p.Upward(state.MachineRef{Model: "m", Machine: "0"}, effect.Pulse{Now: sent, Version: "1", Paths: []effect.Path{{To: "a", Took: 2 * time.Second}, {To: "b", Took: 9 * time.Second}}})
		time.Sleep(roundEvery)
		if i := slices.IndexFunc(p.Health().Findings, func(f operator.Finding) bool { return f.Check == "clock" }); p.Health().Findings[i].Level != operator.FindingOK {
			t.Errorf("found %+v", p.Health().Findings[i])
		}
	})
}

func TestWhoDoesNotLeadSaysWhyNobodyDoes(t *testing.T) {
	c := &council{alone: "no leader since noon; 1 of 3 controllers answer"}
	p := New(c.config(t.TempDir()))
	if causes := p.Health().Degraded(); len(causes) != 1 || causes[0] != c.alone {
		t.Errorf("degraded by %q", causes)
	}
}

func TestADiskIsJudgedByItsUsualPaceAndByATrialThatDoesNotEnd(t *testing.T) {
	now := time.Now()
	for rule, test := range map[string]struct {
		d    *disk
		want time.Duration
	}{
		"nothing was tried yet":   {&disk{}, 0},
		"one hiccup":              {&disk{last: []time.Duration{2, 9000, 3, 2, 3}}, 3},
		"slow of late":            {&disk{last: []time.Duration{2, 900, 800, 2, 900}}, 800},
		"a trial that has no end": {&disk{last: []time.Duration{2, 2, 2}, began: now.Add(-time.Minute)}, time.Minute},
	} {
		if got := test.d.took(now); got != test.want {
			t.Errorf("%s: %v, wanted %v", rule, got, test.want)
		}
	}
}
