package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// facts is a block of "name: value" lines below a headline.
type facts struct {
	w io.Writer
	p palette
}

func (f facts) head(text string) { fmt.Fprintln(f.w, f.p.bold(text)) }

// line writes a fact, or nothing where there is none.
func (f facts) line(name, value string) {
	if value != "" {
		fmt.Fprintf(f.w, "  %-13s %s\n", name+":", value)
	}
}

// list writes a named list of lines, or nothing where it is empty.
func (f facts) list(name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintln(f.w, "  "+name+":")
	for _, line := range lines {
		fmt.Fprintln(f.w, "    "+line)
	}
}

func writeUnit(w io.Writer, p palette, u operator.UnitDetail) {
	f := facts{w, p}
	head := u.Name.String()
	if u.Leader {
		head += " (leader)"
	}
	f.head(head)
	f.line("status", strings.TrimSpace(levelCell(p, u.Life, u.Status).text+" "+u.Status.Message))
	f.line("machine", string(u.Machine))
	f.line("address", u.Address)
	if !u.Principal.IsZero() {
		f.line("principal", u.Principal.String())
	}
	f.line("version", u.Version)
	f.line("ports", portList(u.Ports))
	f.line("intent", fmt.Sprintf("generation %d, %s", u.Generation, settledText(u.Unit)))
	f.line("doing", strings.Join(u.Doing, ", "))
	f.list("services", serviceLines(u.Report))
	for _, r := range u.Relations {
		f.list(fmt.Sprintf("relation %d, %s with %s", r.ID, r.Endpoint, r.Remote), remoteLines(r))
	}
	for _, own := range u.Own {
		f.list(fmt.Sprintf("published in relation %d", own.Relation), append(pairs(own.Unit), pairs(own.Application)...))
	}
	f.list("records", recordLines(u.Records))
	f.list("turns held", grantLines(u.Grants))
	var known []string
	for _, id := range slices.Sorted(maps.Keys(u.Facts)) {
		known = append(known, fmt.Sprintf("%s: %s", id, u.Facts[id].Value))
	}
	f.list("facts", known)
}

func settledText(u operator.Unit) string {
	switch {
	case !u.Reachable:
		return "its agent is not heard"
	case u.Settled:
		return "settled"
	}
	return "being carried out"
}

func serviceLines(r *effect.Report) (lines []string) {
	if r == nil {
		return nil
	}
	for _, s := range r.Services {
		health := "healthy"
		if !s.Healthy {
			health = "not healthy"
		}
		lines = append(lines, fmt.Sprintf("%s: pid %d since %s, %s, %s", s.ID, s.PID, clock(s.Since), health, counted(s.Restarts, "unplanned restart")))
	}
	return lines
}

func remoteLines(r effect.Relation) []string {
	lines := pairs(r.Bag)
	for _, remote := range r.Units {
		state := remote.Address
		if remote.Gone {
			state = "gone"
		}
		lines = append(lines, strings.TrimSpace(remote.Unit.String()+" "+state))
		for _, pair := range pairs(remote.Bag) {
			lines = append(lines, "  "+pair)
		}
	}
	return lines
}

func pairs(bag map[string]string) (lines []string) {
	for _, key := range slices.Sorted(maps.Keys(bag)) {
		lines = append(lines, key+": "+bag[key])
	}
	return lines
}

func recordLines(records []effect.Record) (lines []string) {
	for _, r := range records {
		lines = append(lines, r.Name+": "+r.Value)
	}
	return lines
}

func grantLines(grants []effect.Grant) (lines []string) {
	for _, g := range grants {
		lines = append(lines, fmt.Sprintf("%s (token %d)", g.Turn, g.Token))
	}
	return lines
}

func writeApplication(w io.Writer, p palette, a operator.ApplicationDetail) {
	f := facts{w, p}
	f.head(string(a.Name))
	f.line("charm", fmt.Sprintf("%s (%s)", a.Charm, shortRevision(a.Revision, a.Charm)))
	f.line("status", strings.TrimSpace(levelCell(p, a.Life, a.Status).text+" "+a.Status.Message))
	f.line("version", a.Version)
	f.line("scale", units(a.Application))
	f.line("constraints", a.Constraints)
	if a.Trusted {
		f.line("trusted", "yes")
	}
	var endpoints, relations, options, actions []string
	for _, e := range a.Endpoints {
		endpoints = append(endpoints, e.String())
	}
	for _, r := range a.Relations {
		relations = append(relations, fmt.Sprintf("%d %s (%s)", r.ID, relationEnds(r), r.Interface))
	}
	for _, o := range a.Config {
		if o.Set {
			options = append(options, o.Name+": "+textOf(o.Value))
		}
	}
	for _, action := range a.Actions {
		actions = append(actions, fmt.Sprintf("%s (%s): %s", action.Name, action.Kind, firstLine(action.Description)))
	}
	f.list("endpoints", endpoints)
	f.list("relations", relations)
	f.list("options set", options)
	f.list("records", recordLines(a.Records))
	f.list("actions", actions)
}
