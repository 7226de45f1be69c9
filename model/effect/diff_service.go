package effect

import (
	"fmt"
	"slices"
)

// service decides what becomes of a process. Only a change of the process
// itself or of what RestartOn names restarts it. A first start, and the start
// of what is not running, take no turn.
func (d *differ) service(s Service) {
	e := Effect{Service: &s}
	was, ours := d.was.byID[s.ID]
	state := d.seen.Services[s.ID]
	if _, wiped := d.steps[Step{Kind: Stop, ID: s.ID}.Name()]; wiped {
		state.Running = false
		ours = true
	}
	step := Step{ID: s.ID, Effect: e, Loaded: d.loads(s)}
	restart, reload, noted := d.changes(s, was.Loaded)
	switch {
	case s.Stopped && state.Running:
		step.Kind, step.Why, step.Disrupts, step.Turn = Stop, "it should not run now", true, s.Turn
	case s.Stopped && ours && was.Effect.Hash() == e.Hash():
		return
	case s.Stopped:
		step.Kind, step.Why = Update, "kept stopped"
	case !state.Running:
		step.Kind, step.Why = Start, "not running"
	case state.Process != s.Process():
		step.Kind, step.Why, step.Disrupts, step.Turn = Restart, "its process changed"+d.what(was, s), true, s.Turn
	case len(restart) > 0:
		step.Kind, step.Why, step.Disrupts, step.Turn = Restart, fmt.Sprintf("%s changed", restart[0]), true, s.Turn
	case len(reload) > 0:
		step.Kind, step.Why = Reload, fmt.Sprintf("%s changed", reload[0])
	case !ours || noted || was.Effect.Hash() != e.Hash():
		step.Kind, step.Why = Update, "what is kept of it changed"
	default:
		return
	}
	d.add(step)
}

// what names the parts of a process that changed.
func (d *differ) what(was Applied, s Service) string {
	if was.Effect.Service == nil {
		return ""
	}
	old := was.Effect.Service
	switch {
	case !slices.Equal(old.Command, s.Command):
		return ": command"
	case old.User != s.User || old.Group != s.Group:
		return ": user"
	case old.Limits != s.Limits:
		return ": limits"
	default:
		return ""
	}
}

// loads are the hashes of what the service will have read once it is started
// after everything that it needs is done. What the package manager has yet to
// choose is not among them.
func (d *differ) loads(s Service) map[ID]string {
	loaded := map[ID]string{}
	for _, id := range slices.Concat(s.RestartOn, s.ReloadOn) {
		if h := d.current(id); h != "" {
			loaded[id] = h
		}
	}
	return loaded
}

// current is the hash of an effect as it is to be, or "" where it is unknown.
func (d *differ) current(id ID) string {
	n, wanted := d.byID[id]
	switch {
	case !wanted:
		return ""
	case n.Package == nil:
		return n.Hash()
	case n.Package.Version != "":
		return n.Package.Version
	case d.seen.Packages[n.Package.Name] != anyVersion:
		return d.seen.Packages[n.Package.Name]
	default:
		return ""
	}
}

// changes are the effects on whose change the service restarts or reloads and
// that are not as it has read them; noted, that one is known now which was not.
func (d *differ) changes(s Service, loaded map[ID]string) (restart, reload []ID, noted bool) {
	for _, id := range slices.Concat(s.RestartOn, s.ReloadOn) {
		now, had := d.current(id), loaded[id]
		switch {
		case now == had || now == "":
			// nothing new
		case had == "":
			noted = true
		case slices.Contains(s.RestartOn, id):
			restart = append(restart, id)
		default:
			reload = append(reload, id)
		}
	}
	return restart, reload, noted
}
