package bundle

import (
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// CheckCharms holds the bundle against the charms that it names: options and
// their types, endpoints, and that a subordinate has no units of its own.
// lookup returns nil for a charm that there is not, which is a mistake too.
func (b *Bundle) CheckCharms(lookup func(CharmRef) *charm.Charm) error {
	var r document.Reader
	charms := map[model.ApplicationName]*charm.Charm{}
	for i := range b.Applications {
		a := &b.Applications[i]
		c := lookup(a.Charm)
		if c == nil {
			r.Fail(b.at("applications", string(a.Name), "charm"),
				fmt.Errorf("application %q: no charm %q; expected a built-in charm or the path of one: %w", a.Name, a.Charm, model.ErrNotFound))
			continue
		}
		charms[a.Name] = c
		b.checkApplication(&r, a, c)
	}
	for i, relation := range b.Relations {
		for _, end := range relation {
			c := charms[end.Application]
			if c == nil || end.Endpoint == "" {
				continue
			}
			if _, ok := c.Meta.Endpoint(end.Endpoint); !ok {
				r.Fail(b.relationAt(i), fmt.Errorf("relation [%s, %s]: charm %q has no endpoint %q%s", relation[0], relation[1],
					c.Meta.Name, end.Endpoint, model.DidYouMean(string(end.Endpoint), c.Meta.EndpointNames())))
			}
		}
	}
	return r.Err()
}

func (b *Bundle) checkApplication(r *document.Reader, a *Application, c *charm.Charm) {
	for _, name := range a.Options.Names() {
		if _, err := c.Config.Coerce(name, a.Options[name]); err != nil {
			r.Fail(b.at("applications", string(a.Name), "options", name), fmt.Errorf("application %q: %w", a.Name, err))
		}
	}
	if c.Meta.Subordinate && (a.UnitCount() > 0 || len(a.To) > 0) {
		r.Fail(b.at("applications", string(a.Name), "num_units"),
			fmt.Errorf("application %q: expected no num_units and no placement, as %q is subordinate; relate it to its principal", a.Name, c.Meta.Name))
	}
}
