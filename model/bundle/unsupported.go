package bundle

import (
	"fmt"
	"strconv"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// Unsupported reports everything that the bundle asks for and apply does not
// do yet, so that nothing is silently left out.
func Unsupported(b *Bundle) error {
	var r document.Reader
	notYet := func(at model.Position, subject, what string) {
		r.Fail(at, fmt.Errorf("%snot yet supported: %s; remove it to apply the rest", subject, what))
	}
	if b.Type == Kubernetes {
		notYet(b.at("bundle"), "", "bundles of the type kubernetes")
	}
	for _, s := range b.SAAS {
		notYet(b.at("saas", string(s.Name)), fmt.Sprintf("saas %q: ", s.Name), "offers of other models")
	}
	for _, a := range b.Applications {
		subject := fmt.Sprintf("application %q: ", a.Name)
		for _, use := range a.unsupported() {
			if use.used {
				notYet(b.at("applications", string(a.Name), use.key), subject, use.key)
			}
		}
		for i, p := range a.To {
			if p.Container != "" {
				notYet(b.at("applications", string(a.Name), "to", strconv.Itoa(i)), subject, fmt.Sprintf("containers on machines (%s)", p))
			}
		}
	}
	return r.Err()
}

type use struct {
	key  string
	used bool
}

func (a Application) unsupported() []use {
	return []use{
		{"bindings", len(a.Bindings) > 0},
		{"devices", len(a.Devices) > 0},
		{"exposed-endpoints", len(a.ExposedEndpoints) > 0},
		{"offers", len(a.Offers) > 0},
		{"plan", a.Plan != ""},
		{"resources", len(a.Resources) > 0},
		{"storage", len(a.Storage) > 0},
	}
}
