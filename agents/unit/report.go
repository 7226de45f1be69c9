package unit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// report is how the unit fares.
func (v view) report() effect.Report {
	in, want := v.Journal.Intent, v.Answer.Desired
	r := effect.Report{
		Unit: in.Spec.Unit, Generation: in.Generation, Hash: in.Hash, Serial: in.Live.Serial,
		Status: v.status(), Doing: v.doing(), Services: v.services(),
	}
	if v.Journal.TearingDown() {
		r.TornDown, r.Leftovers, r.Answered = v.Journal.Cleared, v.leftovers(), true
		r.Returned = in.Live.Grants // a teardown acts under none
		return r
	}
	_, r.Returned = v.Journal.split()
	r.Settled = v.settled()
	r.Version, r.Ports, r.Facts = want.Version, want.Ports, v.input.Facts
	if v.current {
		r.Holds, r.Reached = want.Holds, want.Reached
		r.Asks, r.Answered = v.asks(), true
	}
	for _, id := range v.flapping() {
		r.Flapping = append(r.Flapping, string(id))
	}
	return r
}

// HashReport identifies a report, for State.Reported.
func HashReport(r effect.Report) string { return hashOf(r) }

// quiet reports whether the answer is carried out: nothing to do, nothing
// under way, nothing in the way, services healthy for their window.
func (v view) quiet() bool {
	if !v.current || !v.diff.Settled() || v.Answer.Desired.Partial != "" || len(v.flapping()) > 0 {
		return false
	}
	if len(v.Journal.Outcomes) > 0 || v.working() {
		return false
	}
	for _, svc := range v.Answer.Desired.Services {
		if !v.healthy(svc) || v.Now.Before(v.Observed.Services[svc.ID].Since.Add(svc.Window)) && !svc.Stopped {
			return false
		}
	}
	return true
}

// settled is CHARMS.md's: quiet, holding and asking for nothing, and content.
func (v view) settled() bool {
	level := v.Answer.Desired.Status.Level
	return v.quiet() && len(v.asks()) == 0 && len(v.Journal.Intent.Live.Grants) == 0 && len(v.newVersions()) == 0 &&
		level != model.Maintenance && level != model.Waiting
}

// working reports whether anything but talk is under way.
func (v view) working() bool {
	for _, a := range v.Running {
		switch a.(type) {
		case SendReport, SetTimer:
		default:
			return true
		}
	}
	return false
}

// flapping names what alternates or crashes too often; disruption waits then.
func (v view) flapping() []effect.ID {
	restarts := map[effect.ID][]time.Time{}
	for id, p := range v.Observed.Services {
		for _, at := range p.Crashes {
			if at.After(v.Journal.SpecSince) {
				restarts[id] = append(restarts[id], at)
			}
		}
	}
	ids := slices.Concat(v.Journal.Flapping, Crashing(restarts, v.Now))
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (v view) doing() []string {
	var doing []string
	for _, a := range v.Running {
		switch a := a.(type) {
		case Perform:
			doing = append(doing, a.Step.Name())
		case Ask, Confirm:
		case OpenClaim, CloseClaim, PutSecret, Publish, Clear:
			doing = append(doing, a.Key())
		}
	}
	slices.Sort(doing)
	return doing
}

func (v view) services() []effect.ServiceReport {
	var reports []effect.ServiceReport
	for _, svc := range v.Answer.Desired.Services {
		p := v.Observed.Services[svc.ID]
		reports = append(reports, effect.ServiceReport{ID: svc.ID, PID: p.PID, Since: p.Since, Restarts: p.Restarts, Healthy: v.healthy(svc)})
	}
	return reports
}

// status is the charm's, unless the agent has something more pressing.
func (v view) status() model.Status {
	if v.Journal.TearingDown() {
		return v.departing()
	}
	status := v.Answer.Desired.Status
	for _, s := range v.trouble() {
		status = model.Worse(status, s)
	}
	if why := v.failing(); why != "" && status == v.Answer.Desired.Status {
		status.Message += "; " + why // what the charm waits for may be just this
	}
	return status
}

// failing is why an action failed that has failed again and again, "" if none.
func (v view) failing() string {
	for _, key := range sortedKeys(v.Failures) {
		if v.Failures[key].Times >= askTries && !v.outdated(key) {
			return v.Failures[key].Text
		}
	}
	return ""
}

func (v view) departing() model.Status {
	for _, key := range sortedKeys(v.Failures) {
		return model.Status{Level: model.Blocked, Message: v.Failures[key].Text}
	}
	if v.Journal.Cleared {
		return model.Status{Level: model.Maintenance, Message: "torn down"}
	}
	return model.Status{Level: model.Maintenance, Message: "being torn down"}
}

// askTries is how often in a row a charm may fail to answer before a person
// must act.
const askTries = 3

// trouble is what the agent has to say, the most pressing level first.
func (v view) trouble() []model.Status {
	var all []model.Status
	add := func(level model.Level, format string, args ...any) {
		all = append(all, model.Status{Level: level, Message: fmt.Sprintf(format, args...)})
	}
	if ids := v.flapping(); len(ids) > 0 {
		add(model.Blocked, "flapping: %s; disruptive changes wait for a new configuration", joinIDs(ids))
	}
	if v.Answer.Failed != "" {
		level := model.Waiting // it may only have been late, or its process may have died under another's question
		if v.Failures[Ask{}.Key()].Times >= askTries {
			level = model.Blocked
		}
		add(level, "the charm did not answer: %s", v.Answer.Failed)
	}
	for _, key := range sortedKeys(v.Failures) {
		if v.outdated(key) {
			continue
		}
		level := model.Waiting
		if v.Failures[key].Blocked {
			level = model.Blocked
		}
		add(level, "%s", v.Failures[key].Text)
	}
	for _, o := range v.diff.Obstacles {
		level := model.Waiting
		if o.Person && v.certain(o.ID) {
			level = model.Blocked
		}
		add(level, "%s: %s", o.ID, o.Reason)
	}
	for _, svc := range v.Answer.Desired.Services {
		if why := v.Observed.Services[svc.ID].Failed; why != "" && !svc.Stopped {
			add(model.Waiting, "%s does not run: %s", svc.ID, why)
		}
	}
	if !v.current {
		return all
	}
	for _, s := range v.diff.Steps {
		if s.Turn != nil && !v.granted(s.Turn.Name) {
			add(model.Waiting, "%s waits for turn %s", s.Name(), s.Turn.Name)
		}
	}
	if doing := v.doing(); len(doing) > 0 {
		add(model.Maintenance, "%s", strings.Join(doing, ", "))
	}
	return all
}

// outdated reports whether a failure is of a step that nobody wants any more,
// or of a claim that was granted after all.
func (v view) outdated(key string) bool {
	if !v.current || !strings.HasPrefix(key, "step ") && !strings.HasPrefix(key, "claim ") {
		return false
	}
	return !slices.ContainsFunc(v.diff.Steps, func(s effect.Step) bool { return stepKey(s) == key || v.performing(s).Key() == key })
}

// certain reports whether an obstacle is one: a task that a crash cut short
// may turn out done once its outcome was looked at.
func (v view) certain(id effect.ID) bool {
	for _, t := range v.Answer.Desired.Tasks {
		if t.ID == id && v.cutShort(t) {
			for probe := range t.Yields {
				if _, known := v.input.Facts[probe]; !known && !v.Read[probe] {
					return false
				}
			}
		}
	}
	return true
}

func joinIDs(ids []effect.ID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}
