package plan

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// line is a step as the plan prints it; without an action it is none.
func (u *unit) line(in effect.Intent, s effect.Step) operator.PlannedEffect {
	l := operator.PlannedEffect{
		Effect: string(s.ID), Action: u.action(s), Certainty: operator.Certain, Disrupts: s.Disrupts, Destroys: s.Destroys,
	}
	if s.Effect.Software != nil {
		l.Detail = s.Effect.Software.String()
	}
	if s.Turn != nil {
		l.Turn = s.Turn.Name
	}
	if f := s.Effect.File; f != nil && !f.Dir && (s.Kind == effect.Write || s.Kind == effect.Remove) {
		l.Diff = u.unified(in, s)
	}
	if in.Spec.Life != model.Dead && (u.guessed || !u.sure[u.ref.Unit]) { // a teardown follows from the journal alone
		l.Certainty = operator.Expected
	}
	if unknown(s.Effect) {
		l.Certainty = operator.Unsure
	}
	return l
}

// action is what a step comes to, in the words of a plan.
func (u *unit) action(s effect.Step) string {
	_, had := u.applied(s.ID)
	switch s.Kind {
	case effect.Update, effect.Conclude:
		return ""
	case effect.Restart, effect.Reload, effect.Run, effect.Stop:
		return string(s.Kind)
	case effect.Install:
		if s.Effect.Software != nil {
			return "fetch"
		}
	case effect.Remove, effect.Release, effect.Destroy, effect.Undo:
		return "remove"
	case effect.Start:
		if had {
			return string(s.Kind)
		}
	case effect.Wipe:
		return "change"
	}
	if had {
		return "change"
	}
	return "add"
}

func (u *unit) applied(id effect.ID) (effect.Effect, bool) {
	for _, a := range u.journal {
		if a.Effect.ID() == id {
			return a.Effect, true
		}
	}
	return effect.Effect{}, false
}

// unified is how a file's text changes.
func (u *unit) unified(in effect.Intent, s effect.Step) string {
	var before, after string
	if was, had := u.applied(s.ID); had && was.File != nil {
		before = text(in, was.File.Content)
	}
	if s.Kind == effect.Write {
		after = text(in, s.Effect.File.Content)
	}
	path := s.Effect.File.Path
	text := string(diff.Diff(path, []byte(before), path, []byte(after)))
	return strings.TrimPrefix(text, fmt.Sprintf("diff %s %s\n", path, path)) // the next two lines name it
}

// text is content as a plan shows it: secrets by their names.
func text(in effect.Intent, c effect.Content) string {
	var b strings.Builder
	for _, s := range c {
		b.WriteString(s.Text)
		if s.Secret == nil {
			continue
		}
		name := s.Secret.ID
		for _, known := range in.Spec.Secrets {
			if known.ID == s.Secret.ID {
				name = known.Name
			}
		}
		fmt.Fprintf(&b, "(secret %s.%s)", name, s.Secret.Field)
	}
	return b.String()
}

// unknown reports whether an effect holds what only the change itself will
// tell: the address of a machine that is not made yet.
func unknown(e effect.Effect) bool {
	b, err := json.Marshal(e)
	return err == nil && strings.Contains(string(b), placeholder(""))
}

func fields(s string) map[string]any {
	var m map[string]any
	if json.Unmarshal([]byte(s), &m) != nil {
		return nil
	}
	return m
}
