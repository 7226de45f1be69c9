package unit

import (
	"slices"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// publish has committed what differs from what is: bags, records, installed
// versions, secrets.
func (v view) publish() []Action {
	if !v.Connected {
		return nil
	}
	var next []Action
	p := effect.Publication{Unit: v.Journal.Intent.Spec.Unit, Versions: v.newVersions()}
	for _, s := range v.diff.Steps {
		if !publishes(s) || !v.ready(s) {
			continue
		}
		switch s.Kind {
		case effect.Publish:
			p.Bags = append(p.Bags, *s.Effect.Bag)
		case effect.Propose:
			p.Records = append(p.Records, *s.Effect.Record)
		default:
			next = append(next, v.mint(*s.Effect.Secret))
		}
	}
	p.Records = append(p.Records, v.newResults()...)
	p.Token = v.fence(p)
	if len(p.Bags)+len(p.Records)+len(p.Versions) > 0 {
		next = append(next, Publish{Publication: p})
	}
	return slices.DeleteFunc(next, v.sent)
}

func (v view) mint(s effect.SecretSpec) Action {
	put := PutSecret{Spec: s}
	if s.Scope == effect.ApplicationScope {
		put.Token = v.live().Token
	}
	return put
}

// fence is leadership's token, where the publication holds what only the
// leader may say.
func (v view) fence(p effect.Publication) uint64 {
	application := slices.ContainsFunc(p.Bags, func(b effect.Bag) bool { return b.Application }) ||
		slices.ContainsFunc(p.Records, func(r effect.Record) bool { return r.Scope == effect.ApplicationScope })
	if !application {
		return 0
	}
	return v.live().Token
}

// newVersions are those of wanted packages, as installed, where the
// application has none recorded yet.
func (v view) newVersions() map[string]string {
	versions := map[string]string{}
	for _, p := range v.Answer.Desired.Packages {
		recorded := v.Journal.Intent.Spec.Versions[p.Name]
		if installed := v.Observed.Packages[p.Name]; recorded == "" && installed != "" && p.Version == "" {
			versions[p.Name] = installed
		}
	}
	return versions
}

// newResults are the public results of the unit's tasks, as records.
func (v view) newResults() []effect.Record {
	var records []effect.Record
	for _, o := range v.Journal.Outcomes {
		if o.Task.Scope == effect.ApplicationScope || o.Task.Result != effect.PublicResult {
			continue
		}
		records = append(records, effect.Record{Name: string(o.Task.ID), Scope: effect.UnitScope, Value: o.Result})
	}
	return records
}

// CommittedResults are the outcomes that a publication brings into records;
// the agent journals them as Committed once it is accepted.
func CommittedResults(j Journal, p effect.Publication) []Outcome {
	var done []Outcome
	for _, o := range j.Outcomes {
		r := effect.Record{Name: string(o.Task.ID), Scope: effect.UnitScope, Value: o.Result}
		if o.Task.Scope != effect.ApplicationScope && o.Task.Result == effect.PublicResult && slices.Contains(p.Records, r) {
			done = append(done, o)
		}
	}
	return done
}

// sent reports whether the controller accepted just this, and what it made of
// it cannot have come back yet.
func (v view) sent(a Action) bool {
	m, ok := v.Sent[a.Key()]
	return ok && m == v.MarkOf(a)
}

// MarkOf is what State.Sent holds of an action that the controller accepted.
func (s State) MarkOf(a Action) Mark {
	in := s.Journal.Intent
	return Mark{Hash: hashOf(a), Generation: in.Generation, Serial: in.Live.Serial}
}
