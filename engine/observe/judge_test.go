package observe

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// well is three controllers and two agents that nothing ails.
func well() Facts {
	f := Facts{Now: noon, Version: "1.0", Backups: model.Backups{
		Schedule: &model.BackupSchedule{Every: time.Hour},
		Kept:     []model.Backup{{ID: "b1", Time: noon.Add(-30 * time.Minute), Drill: &model.Drill{Backup: "b1", Time: noon.Add(-20 * time.Minute)}}},
	}}
	year := operator.Validity{Begins: noon.AddDate(0, -1, 0), Ends: noon.AddDate(0, 11, 0)}
	ids := []string{"a", "b", "c"}
	for _, id := range ids {
		v := operator.Vitals{ID: id, Version: "1.0", Now: noon, Fsync: 2 * time.Millisecond, DiskFreeMiB: 50000, DiskMiB: 100000, Certificate: year, Authority: year}
		for _, to := range ids {
			if to != id {
				v.Paths = append(v.Paths, effect.Path{To: to})
			}
		}
		f.Controllers = append(f.Controllers, Controller{ID: id, Name: "controller/" + id, Address: "10.0.0." + id, Voter: true, Vitals: v})
	}
	for _, name := range []string{"default/0", "default/1"} {
		a := Agent{Name: name, Heard: true, Version: "1.0"}
		for _, c := range f.Controllers {
			a.Paths = append(a.Paths, effect.Path{To: c.Address})
		}
		f.Agents = append(f.Agents, a)
	}
	return f
}

func amiss(findings []operator.Finding) (out []operator.Finding) {
	for _, f := range findings {
		if f.Level != operator.FindingOK {
			out = append(out, f)
		}
	}
	return out
}

func TestNothingIsFoundWhereAllIsWell(t *testing.T) {
	all := Judge(well())
	if bad := amiss(all); len(bad) > 0 {
		t.Errorf("found %+v", bad)
	}
	var checks []string
	for _, f := range all {
		checks = append(checks, f.Check)
	}
	want := []string{"quorum", "controllers", "paths", "agents' paths", "clock", "disk", "certificates", "backups", "history", "agents", "versions"}
	if !slices.Equal(checks, want) {
		t.Errorf("checks %q, wanted %q", checks, want)
	}
}

func TestEachFaultIsFoundWithItsCause(t *testing.T) {
	for rule, test := range map[string]struct {
		change   func(*Facts)
		check    string
		level    operator.FindingLevel
		says     string
		degrades bool
	}{
		"with one of three lost no other may be": {
			func(f *Facts) { f.Controllers[2].Fault = "no route" }, "quorum", operator.FindingBad, "2 of 3 controllers answer: no other may be lost", true,
		},
		"a lost controller is named with why": {
			func(f *Facts) { f.Controllers[2].Fault = "no route" }, "controllers", operator.FindingBad, "controller/c: does not answer at 10.0.0.c: no route", true,
		},
		"one without a vote does not count": {
			func(f *Facts) { f.Controllers[1].Voter = false }, "controllers", operator.FindingWarn, "controller/b: has no vote yet", true,
		},
		"one that is far behind is named": {
			func(f *Facts) { f.Controllers[1].Lag = 10000 }, "controllers", operator.FindingWarn, "10000 entries", true,
		},
		"two followers that do not reach each other": {
			func(f *Facts) { f.Controllers[1].Vitals.Paths[1] = effect.Path{To: "c", Fault: "timed out"} },
			"paths", operator.FindingBad, "controller/b: does not reach controller controller/c: timed out", true,
		},
		"an agent that would not reach a successor": {
			func(f *Facts) { f.Agents[1].Paths[2].Fault = "refused" }, "agents' paths", operator.FindingBad,
			"controller/c: 1 of 2 agents do not reach it at 10.0.0.c (default/1): refused", true,
		},
		"a controller's clock that is 300 ms off": {
			func(f *Facts) { f.Controllers[1].Skew = -300 * time.Millisecond }, "clock", operator.FindingWarn, "controller/b: its clock is 300ms behind the leader's", true,
		},
		"an agent's clock that is a minute off": {
			func(f *Facts) { f.Agents[0].Skew = time.Minute }, "clock", operator.FindingBad, "default/0: its clock is 1m0s ahead of the leader's", false,
		},
		"a slow disk": {
			func(f *Facts) { f.Controllers[0].Vitals.Fsync = 150 * time.Millisecond }, "disk", operator.FindingWarn, "controller/a: takes 150ms to keep a write", true,
		},
		"a disk that stalls": {
			func(f *Facts) { f.Controllers[0].Vitals.Fsync = 3 * time.Second }, "disk", operator.FindingBad, "takes 3s", true,
		},
		"a disk that is nearly full": {
			func(f *Facts) { f.Controllers[0].Vitals.DiskFreeMiB = 100 }, "disk", operator.FindingBad, "100 of 100000 MiB are free", true,
		},
		"a certificate that was not renewed": {
			func(f *Facts) { f.Controllers[0].Vitals.Certificate.Ends = noon.Add(24 * time.Hour) }, "certificates", operator.FindingBad, "its certificate ends in 24h0m0s", false,
		},
		"a certificate that has ended": {
			func(f *Facts) { f.Controllers[0].Vitals.Certificate.Ends = noon.Add(-time.Hour) }, "certificates", operator.FindingBad, "ended on 2026-03-01 11:00:00", false,
		},
		"a backup that is overdue": {
			func(f *Facts) { f.Backups.Kept[0].Time = noon.Add(-3 * time.Hour) }, "backups", operator.FindingBad, "the newest backup is 3h0m0s old", true,
		},
		"a backup that failed its drill": {
			func(f *Facts) { f.Backups.Kept[0].Drill.Fault = "byte 7" }, "backups", operator.FindingBad, "backup b1 FAILED its drill: byte 7", true,
		},
		"a backup that could not be made": {
			func(f *Facts) { f.BackupFault = "disk full" }, "backups", operator.FindingBad, "was not made: disk full", true,
		},
		"no backup at all": {
			func(f *Facts) { f.Backups = model.Backups{} }, "backups", operator.FindingWarn, "there is none", false,
		},
		"a history that is not written": {
			func(f *Facts) { f.Controllers[0].Vitals.HistoryBad = "no quorum" }, "history", operator.FindingWarn, "no quorum", true,
		},
		"an agent that is silent": {
			func(f *Facts) { f.Agents[1].Heard = false }, "agents", operator.FindingWarn, "1 of 2 are not heard: default/1", false,
		},
		"a controller of another version": {
			func(f *Facts) { f.Controllers[1].Vitals.Version = "0.9" }, "versions", operator.FindingWarn, "controller/b: runs 0.9, the leader 1.0", false,
		},
		"agents of another version": {
			func(f *Facts) { f.Agents[0].Version, f.Agents[1].Version = "0.9", "0.9" }, "versions", operator.FindingWarn, "agents default/0, default/1: runs 0.9", false,
		},
	} {
		f := well()
		test.change(&f)
		all := Judge(f)
		i := slices.IndexFunc(all, func(one operator.Finding) bool {
			return one.Check == test.check && one.Level == test.level && strings.Contains(one.Text(), test.says)
		})
		if i < 0 {
			t.Errorf("%s: not found in %+v", rule, amiss(all))
			continue
		}
		if one := all[i]; one.Degrades != test.degrades || one.Why == "" || one.Do == "" {
			t.Errorf("%s: %+v, wanted that it degrades: %v, with why and what to do", rule, one, test.degrades)
		}
	}
}

func TestALostControllerIsTheOnlyCauseThatIsTold(t *testing.T) {
	f := well()
	f.Controllers[2].Fault = "no route"
	f.Controllers[1].Vitals.Paths[1].Fault = "no route" // to the lost one
	for i := range f.Agents {
		f.Agents[i].Paths[2].Fault = "no route"
	}
	for _, one := range amiss(Judge(f)) {
		if one.Check != "quorum" && one.Check != "controllers" {
			t.Errorf("found as well: %+v", one)
		}
	}
}

func TestOneControllerIsNotADegradedSeveral(t *testing.T) {
	f := well()
	f.Controllers = f.Controllers[:1]
	f.Controllers[0].Vitals.Paths = nil
	f.Controllers[0].Vitals.Fsync = 2 * time.Second
	if causes := (operator.Health{Findings: Judge(f)}).Degraded(); len(causes) > 0 {
		t.Errorf("degraded by %q", causes)
	}
}

func TestSkewIsMeasuredInTheMiddleOfARoundTrip(t *testing.T) {
	asked := noon
	for rule, test := range map[string]struct{ there, back, want time.Duration }{
		"equal clocks, a fast network":  {time.Millisecond, 2 * time.Millisecond, 0},
		"equal clocks, a slow network":  {time.Second, 2 * time.Second, 0},
		"a clock that is 300 ms ahead":  {301 * time.Millisecond, 2 * time.Millisecond, 300 * time.Millisecond},
		"a clock that is 300 ms behind": {-299 * time.Millisecond, 2 * time.Millisecond, -300 * time.Millisecond},
	} {
		if got := Skew(asked, asked.Add(test.there), asked.Add(test.back)); got != test.want {
			t.Errorf("%s: %v, wanted %v", rule, got, test.want)
		}
	}
}
