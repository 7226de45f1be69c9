package sdktest

import (
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// T is what a test offers: *testing.T and *rapid.T both do.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Name() string
}

// Scenario is where a test begins, and what Check may do from there.
type Scenario struct {
	Units   int                       // 1 by default
	Config  map[string]any            // over the charm's defaults: string, int64, float64 or bool
	Remotes []Remote                  // other applications that are related
	Facts   map[effect.ProbeID]string // of every unit, where no twin answers
	Seed    uint64                    // of the twin

	// Changes are configurations that Check goes through.
	Changes []map[string]any
	// Faults is how many units at once Check may cut off or crash; 0 for none.
	Faults int
}

// Remote is another application, played by the test.
type Remote struct {
	Endpoint    model.EndpointName // of the charm under test
	Application model.ApplicationName
	Bag         map[string]string   // of the application
	Units       []map[string]string // one unit each
	Secrets     []effect.Secret     // that it grants; Owner is set to Application
}

// withDefaults is the configuration that a unit sees.
func withDefaults(c *charm.Charm, config map[string]any) map[string]any {
	all := map[string]any{}
	for name, value := range c.Config.Defaults() {
		all[name] = value.Any()
	}
	for name, value := range config {
		all[name] = value
	}
	return all
}

// relations are those of a model: one for each peer endpoint, then the
// scenario's, numbered from 1.
func relations(t T, c *charm.Charm, app model.ApplicationName, remotes []Remote) []effect.Relation {
	t.Helper()
	var all []effect.Relation
	add := func(e model.Endpoint, remote model.ApplicationName) *effect.Relation {
		scope := e.Scope
		if scope == "" {
			scope = model.GlobalScope
		}
		all = append(all, effect.Relation{
			ID: model.RelationID(len(all) + 1), Endpoint: e.Name, Interface: e.Interface, Role: e.Role, Scope: scope, Remote: remote,
		})
		return &all[len(all)-1]
	}
	for _, e := range c.Meta.ByRole(model.Peer) {
		add(e, app)
	}
	for _, remote := range remotes {
		e, ok := c.Meta.Endpoint(remote.Endpoint)
		if !ok {
			t.Fatalf("the scenario relates endpoint %q, which the charm does not declare", remote.Endpoint)
		}
		r := add(e, remote.Application)
		r.Bag = remote.Bag
		for n, bag := range remote.Units {
			r.Units = append(r.Units, effect.Remote{
				Unit: model.UnitName{Application: remote.Application, Number: n}, Address: address(100 + n), Bag: bag,
			})
		}
	}
	return all
}

// twinOf is a charm's twin, or one that knows nothing.
func twinOf(c sdk.Charm) sdk.Twin {
	if twin, ok := c.(sdk.Twin); ok {
		return twin
	}
	return noTwin{}
}

type noTwin struct{}

func (noTwin) Begin(uint64) sdk.World { return nil }

func (noTwin) Step(w sdk.World, _ sdk.Event) (sdk.World, sdk.Outcome) { return w, sdk.Outcome{} }

func (noTwin) Answer(sdk.World, model.UnitName, effect.Probe) (string, bool) { return "", false }

func (noTwin) Safe(sdk.World) error { return nil }
