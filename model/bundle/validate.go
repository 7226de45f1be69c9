package bundle

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

var (
	seriesPattern = regexp.MustCompile(`^[a-z]+[a-z0-9]*$`)
	basePattern   = regexp.MustCompile(`^[a-z]+@[^@\s]+$`)
	volumePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*$`)
	offerPattern  = regexp.MustCompile(`^([A-Za-z0-9._-]+:)?([A-Za-z0-9@.+-]+/)?[a-z0-9][a-z0-9-]*\.[a-z][a-z0-9-]*$`)
)

// Validate reports what the bundle names and does not declare, and what does
// not go together. It looks at the bundle alone; CheckCharms looks at charms.
func (b *Bundle) Validate() error {
	v := validator{b: b, placed: map[model.MachineName]bool{}}
	v.top()
	for i := range b.Applications {
		v.application(&b.Applications[i])
	}
	for _, m := range b.Machines {
		v.machine(m)
	}
	v.relations()
	for _, s := range b.SAAS {
		v.saas(s)
	}
	return v.Err()
}

type validator struct {
	document.Reader
	b      *Bundle
	placed map[model.MachineName]bool
}

func (v *validator) failf(at model.Position, format string, args ...any) {
	v.Fail(at, fmt.Errorf(format, args...))
}

func (v *validator) top() {
	b := v.b
	if b.Type != "" && b.Type != Kubernetes {
		v.failf(b.at("bundle"), "bundle type %q: expected %s, or no type for machines", b.Type, Kubernetes)
	}
	if b.Type == Kubernetes && len(b.Machines) > 0 {
		v.failf(b.at("machines"), "expected no machines in a bundle of the type %s", Kubernetes)
	}
	if len(b.Applications) == 0 {
		v.failf(b.at("applications"), "expected at least one application, found none")
	}
	v.platform(b.Series, b.at("series"), b.DefaultBase, b.at("default-base"))
}

func (v *validator) platform(series string, seriesAt model.Position, base string, baseAt model.Position) {
	if series != "" && !seriesPattern.MatchString(series) {
		v.failf(seriesAt, "series %q: expected a word such as jammy", series)
	}
	if base != "" && !basePattern.MatchString(base) {
		v.failf(baseAt, "base %q: expected OS@CHANNEL such as debian@12", base)
	}
}

func (v *validator) application(a *Application) {
	at := func(path ...string) model.Position {
		return v.b.at(append([]string{"applications", string(a.Name)}, path...)...)
	}
	if a.Charm.IsZero() {
		v.failf(at("charm"), "application %q: expected the key %q, found none", a.Name, "charm")
	}
	if a.Revision != nil && *a.Revision < 0 {
		v.failf(at("revision"), "application %q: expected a revision from 0, found %d", a.Name, *a.Revision)
	}
	if a.Revision != nil && a.Channel == "" && !a.Charm.IsLocal() {
		v.failf(at("revision"), "application %q: expected a channel beside the revision, for later upgrades", a.Name)
	}
	v.platform(a.Series, at("series"), a.Base, at("base"))
	v.placements(a, at)
	for _, name := range sortedKeys(a.Storage) {
		if !volumePattern.MatchString(name) {
			v.failf(at("storage", name), "storage name %q: expected lower case words joined by dashes", name)
		}
	}
	for _, name := range sortedKeys(a.Devices) {
		if !volumePattern.MatchString(name) {
			v.failf(at("devices", name), "device name %q: expected lower case words joined by dashes", name)
		}
	}
	if len(a.ExposedEndpoints) > 0 && a.Expose != nil && *a.Expose {
		v.failf(at("expose"), "application %q: expected expose or exposed-endpoints, found both", a.Name)
	}
	for _, name := range sortedKeys(a.ExposedEndpoints) {
		for _, cidr := range a.ExposedEndpoints[name].CIDRs {
			if _, err := netip.ParsePrefix(cidr); err != nil {
				v.failf(at("exposed-endpoints", name, "expose-to-cidrs"), "expected a CIDR such as 10.0.0.0/8, found %q", cidr)
			}
		}
	}
}

func (v *validator) placements(a *Application, at func(...string) model.Position) {
	if a.Units != nil && *a.Units < 0 {
		v.failf(at("num_units"), "application %q: expected no fewer than 0 units, found %d", a.Name, *a.Units)
	} else if len(a.To) > a.UnitCount() {
		v.failf(at("to"), "application %q: expected at most %d placements, one a unit, found %d", a.Name, a.UnitCount(), len(a.To))
	}
	for _, label := range strings.Split(a.Selector, ",") {
		if key, value, ok := strings.Cut(label, "="); a.Selector != "" && (!ok || key == "" || value == "") {
			v.failf(at("to"), "application %q: expected labels such as zone=a, found %q", a.Name, a.Selector)
		}
	}
	for i, p := range a.To {
		where := at("to", strconv.Itoa(i))
		switch t := p.Target.(type) {
		case OnMachine:
			v.placed[t.Machine] = true
			if _, ok := v.b.Machine(t.Machine); !ok {
				v.failf(where, "placement %q: expected a machine under %q, found none of that number", p, "machines")
			}
		case WithUnit:
			if other, ok := v.target(where, p, t.Unit.Application); ok && t.Unit.Number >= other.UnitCount() {
				v.failf(where, "placement %q: expected one of the %d units of %s", p, other.UnitCount(), other.Name)
			}
		case WithApplication:
			v.target(where, p, t.Application)
		case OnNewMachine:
		}
	}
}

func (v *validator) target(at model.Position, p Placement, name model.ApplicationName) (Application, bool) {
	a, ok := v.b.Application(name)
	if !ok {
		v.failf(at, "placement %q: application %q is not in this bundle%s", p, name, model.DidYouMean(string(name), v.b.names()))
	}
	return a, ok
}

func (v *validator) machine(m Machine) {
	at := func(path ...string) model.Position {
		return v.b.at(append([]string{"machines", string(m.Name)}, path...)...)
	}
	v.platform(m.Series, at("series"), m.Base, at("base"))
	if v.b.Type != Kubernetes && !v.placed[m.Name] {
		v.failf(at(), "machine %s: expected a placement that names it, found none; remove it or place a unit there", m.Name)
	}
}

func (v *validator) relations() {
	known := v.b.names()
	seen := map[Relation]bool{}
	for i, r := range v.b.Relations {
		at := v.b.relationAt(i)
		for _, end := range r {
			if !slices.Contains(known, string(end.Application)) {
				v.failf(at, "relation [%s, %s]: application %q is not in this bundle%s",
					r[0], r[1], end.Application, model.DidYouMean(string(end.Application), known))
			}
		}
		if r[0].Application == r[1].Application {
			v.failf(at, "relation [%s, %s]: expected two applications, found one related to itself", r[0], r[1])
		}
		if seen[r.sorted()] {
			v.failf(at, "relation [%s, %s] is written twice; keep one", r[0], r[1])
		}
		seen[r.sorted()] = true
	}
}

func (v *validator) saas(s SAAS) {
	at := v.b.at("saas", string(s.Name))
	if _, taken := v.b.Application(s.Name); taken {
		v.failf(at, "saas %q is the name of an application too; give one another name", s.Name)
	}
	if s.URL != "" && !offerPattern.MatchString(s.URL) {
		v.failf(v.b.at("saas", string(s.Name), "url"), "saas %q: expected an offer's URL such as admin/model.offer, found %q", s.Name, s.URL)
	}
}

// names returns what a relation may join: applications and SAAS.
func (b *Bundle) names() []string {
	var names []string
	for _, a := range b.Applications {
		names = append(names, string(a.Name))
	}
	for _, s := range b.SAAS {
		names = append(names, string(s.Name))
	}
	return names
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
