package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// writeStatus writes a status as a person reads it: the model, its
// applications with their units below, machines, and relations if asked.
func writeStatus(w io.Writer, p palette, s operator.Status, relations bool) {
	writeModel(w, p, s.Model)
	if len(s.Applications) == 0 && len(s.Machines) == 0 {
		fmt.Fprintln(w, "\nNothing is deployed: gantry deploy CHARM, or gantry apply BUNDLE.")
		return
	}
	if len(s.Applications) > 0 {
		fmt.Fprintln(w)
		writeApplications(w, p, s.Applications)
	}
	if len(s.Machines) > 0 {
		fmt.Fprintln(w)
		writeMachines(w, p, s.Machines)
	}
	if relations && len(s.Relations) > 0 {
		fmt.Fprintln(w)
		writeRelations(w, p, s.Relations)
	}
}

func writeModel(w io.Writer, p palette, m operator.ModelStatus) {
	state := p.yellow("converging")
	switch {
	case m.Life != model.Alive:
		state = p.yellow("being destroyed")
	case len(m.Blocked) > 0:
		state = p.red("blocked")
	case m.Converged:
		state = p.green("converged")
	}
	provider := ""
	if m.Provider != "" {
		provider = " on " + m.Provider
	}
	fmt.Fprintf(w, "Model %s%s, revision %d, %s\n", p.bold(string(m.Name)), provider, m.Revision, state)
	for _, reason := range m.Blocked {
		fmt.Fprintf(w, "  %s %s\n", p.red("blocked:"), reason)
	}
	for _, cause := range m.Degraded {
		fmt.Fprintf(w, "  %s %s\n", p.red("HA degraded:"), cause)
	}
	for _, left := range m.Leftovers {
		fmt.Fprintf(w, "  %s %s\n", p.yellow("left behind:"), left)
	}
	if m.Converged {
		return
	}
	for _, reason := range m.Waiting {
		fmt.Fprintf(w, "  %s %s\n", p.faint("waiting for"), reason)
	}
}

// writeApplications writes the tree of applications, units and subordinates.
func writeApplications(w io.Writer, p palette, apps []operator.Application) {
	below := subordinates(apps)
	t := &table{}
	t.add(cell{"Application", p.bold}, cell{"Status", p.bold}, cell{"Where", p.bold}, cell{"Version", p.bold}, cell{"Message", p.bold})
	for _, a := range apps {
		t.add(cell{string(a.Name), p.bold}, levelCell(p, a.Life, a.Status), cell{text: units(a)}, cell{text: a.Version}, cell{text: applicationMessage(a)})
		if a.Subordinate {
			continue
		}
		for i, u := range a.Units {
			last := i == len(a.Units)-1
			t.add(unitCells(p, branch("", last), u)...)
			for j, sub := range below[u.Name] {
				t.add(unitCells(p, branch(stem(last), j == len(below[u.Name])-1), sub)...)
			}
		}
	}
	t.write(w)
}

// subordinates are the subordinate units below each principal, by name.
func subordinates(apps []operator.Application) map[model.UnitName][]operator.Unit {
	below := map[model.UnitName][]operator.Unit{}
	for _, a := range apps {
		for _, u := range a.Units {
			if !u.Principal.IsZero() {
				below[u.Principal] = append(below[u.Principal], u)
			}
		}
	}
	for _, list := range below {
		slices.SortFunc(list, func(a, b operator.Unit) int { return model.CompareUnits(a.Name, b.Name) })
	}
	return below
}

func branch(stem string, last bool) string {
	if last {
		return stem + "└─ "
	}
	return stem + "├─ "
}

func stem(last bool) string {
	if last {
		return "   "
	}
	return "│  "
}

func unitCells(p palette, prefix string, u operator.Unit) []cell {
	name := prefix + u.Name.String()
	if u.Leader {
		name += "*"
	}
	where := u.Address
	if u.Machine != "" {
		where = strings.TrimSpace(fmt.Sprintf("%s (%s)", cmp.Or(u.Address, "machine"), u.Machine))
	}
	status := levelCell(p, u.Life, u.Status)
	if lost(u) {
		status = cell{"lost", p.red}
	}
	return []cell{{text: name}, status, {text: where}, {text: u.Version}, {text: unitMessage(u)}}
}

// lost reports whether a unit's agent was heard once and is not any more.
func lost(u operator.Unit) bool {
	return !u.Reachable && u.Machine != "" && u.Status.Level != model.Unknown
}

// unitMessage is the unit's own message, its ports and what is under way.
func unitMessage(u operator.Unit) string {
	parts := []string{}
	if lost(u) && u.Life != model.Alive {
		parts = append(parts, u.Life.String())
	}
	if u.Status.Message != "" {
		parts = append(parts, glance(u.Status.Message))
	}
	if len(u.Ports) > 0 {
		parts = append(parts, portList(u.Ports))
	}
	if len(u.Doing) > 0 {
		parts = append(parts, "doing "+strings.Join(u.Doing, ", "))
	}
	for _, h := range u.Holds {
		parts = append(parts, "holds "+h.Reason)
	}
	return strings.Join(parts, " · ")
}

// glance is as much of a message as a status shows; show-unit has it whole.
func glance(message string) string { return clip(firstLine(message), 100) }

func portList(ports []effect.Port) string {
	var list []string
	for _, port := range ports {
		list = append(list, fmt.Sprintf("%d/%s", port.Number, port.Protocol))
	}
	return strings.Join(list, " ")
}

// levelCell is the word of a status, or of a life that is ending.
func levelCell(p palette, life model.Life, s model.Status) cell {
	if life != model.Alive {
		return cell{life.String(), p.yellow}
	}
	return cell{s.Level.String(), func(text string) string { return p.level(s.Level, text) }}
}

func units(a operator.Application) string {
	switch {
	case a.Subordinate:
		return "subordinate"
	case a.Scale == 1 && len(a.Units) == 1:
		return "1 unit"
	case a.Scale == len(a.Units):
		return fmt.Sprintf("%d units", a.Scale)
	}
	if len(a.Units) > a.Scale {
		return fmt.Sprintf("%d units, %d wanted", len(a.Units), a.Scale)
	}
	return fmt.Sprintf("%d of %d units", len(a.Units), a.Scale)
}

func applicationMessage(a operator.Application) string {
	parts := []string{}
	if string(a.Charm) != string(a.Name) {
		parts = append(parts, "charm "+string(a.Charm))
	}
	if a.Status.Message != "" && !shown(a) {
		parts = append(parts, glance(a.Status.Message))
	}
	if a.Order != nil && a.Order.State == "open" {
		parts = append(parts, fmt.Sprintf("order %s at %s", a.Order.Name, cmp.Or(a.Order.Stage, "its start")))
	}
	if a.Exposed {
		parts = append(parts, "exposed")
	}
	return strings.Join(parts, " · ")
}

// shown reports whether the tree shows below an application what its status
// says: the message of one of its units.
func shown(a operator.Application) bool {
	return !a.Subordinate && slices.ContainsFunc(a.Units, func(u operator.Unit) bool { return u.Status.Message == a.Status.Message })
}

func writeMachines(w io.Writer, p palette, machines []operator.Machine) {
	t := &table{}
	t.add(cell{"Machine", p.bold}, cell{"Status", p.bold}, cell{"Address", p.bold}, cell{"Base", p.bold}, cell{"Units", p.bold})
	for _, m := range machines {
		status := levelCell(p, m.Life, m.Status)
		if !m.Reachable && m.Status.Level == model.Active {
			status = cell{"lost", p.red}
		}
		var names []string
		for _, u := range m.Units {
			names = append(names, u.String())
		}
		message := cmp.Or(m.Progress, m.Status.Message)
		if message != "" {
			names = append(names, "· "+message)
		}
		t.add(cell{text: string(m.Name)}, status, cell{text: m.Address}, cell{text: m.Base}, cell{text: strings.Join(names, " ")})
	}
	t.write(w)
}

func writeRelations(w io.Writer, p palette, relations []operator.Relation) {
	t := &table{}
	t.add(cell{"Relation", p.bold}, cell{"Interface", p.bold}, cell{"Ends", p.bold}, cell{"Kind", p.bold})
	for _, r := range relations {
		kind := "regular"
		switch {
		case len(r.Ends) == 1:
			kind = "peer"
		case r.Scope == model.ContainerScope:
			kind = "subordinate"
		}
		if r.Life != model.Alive {
			kind += ", " + r.Life.String()
		}
		t.row(fmt.Sprint(r.ID), string(r.Interface), relationEnds(r), kind)
	}
	t.write(w)
}

func relationEnds(r operator.Relation) string {
	var ends []string
	for _, e := range r.Ends {
		ends = append(ends, fmt.Sprintf("%s:%s", e.Application, e.Endpoint))
	}
	return strings.Join(ends, " ")
}
