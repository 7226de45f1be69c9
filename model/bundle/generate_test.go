package bundle_test

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// optional draws a value or none.
func optional[T any](g *rapid.Generator[T]) *rapid.Generator[*T] {
	return rapid.Custom(func(t *rapid.T) *T {
		if rapid.Bool().Draw(t, "said") {
			v := g.Draw(t, "value")
			return &v
		}
		return nil
	})
}

func texts() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"", "x", "yes", "3.4", "007", "null", "~", "a: b", "# c", " lead", "two\nlines\n", "\ttab", "é", "{}", "- a", "include", "\n\n", "'\"", "<<", "2001-01-01"})
}

func settings() *rapid.Generator[charm.Settings] {
	value := rapid.OneOf(
		rapid.Map(texts(), charm.StringValue),
		rapid.Map(rapid.Int64(), charm.IntValue),
		rapid.Map(rapid.Float64Range(-1e20, 1e20), charm.FloatValue),
		rapid.Map(rapid.Bool(), charm.BoolValue))
	return rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"o1", "o2", "o3", "on"}), value, 0, 3), func(m map[string]charm.Value) charm.Settings {
		if len(m) == 0 {
			return nil
		}
		return m
	})
}

func annotations() *rapid.Generator[map[string]string] {
	return rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"k1", "k2", "y"}), texts(), 0, 2), func(m map[string]string) map[string]string {
		if len(m) == 0 {
			return nil
		}
		return m
	})
}

var constraintSet = rapid.SampledFrom([]model.Constraints{{}, {Cores: 2}, {MemMiB: 4096, Arch: "amd64"}, {Disk: 1 << 20, Tags: "a,b"}})

func application(name model.ApplicationName) *rapid.Generator[bundle.Application] {
	return rapid.Custom(func(t *rapid.T) bundle.Application {
		a := bundle.Application{
			Name:        name,
			Charm:       rapid.SampledFrom([]bundle.CharmRef{{Name: "postgresql"}, {Name: "kafka"}, {Path: "./here"}, {Path: "there"}}).Draw(t, "charm"),
			Channel:     rapid.SampledFrom([]string{"", "edge", "14/stable"}).Draw(t, "channel"),
			Units:       optional(rapid.IntRange(0, 3)).Draw(t, "units"),
			Options:     settings().Draw(t, "options"),
			Constraints: optional(constraintSet).Draw(t, "constraints"),
			Expose:      optional(rapid.Bool()).Draw(t, "expose"),
			Trust:       optional(rapid.Bool()).Draw(t, "trust"),
			Annotations: annotations().Draw(t, "annotations"),
		}
		for range rapid.IntRange(0, a.UnitCount()).Draw(t, "placements") {
			a.To = append(a.To, rapid.SampledFrom([]bundle.Placement{
				{Target: bundle.OnNewMachine{}}, {Target: bundle.OnMachine{Machine: "1"}}, {Container: "lxd", Target: bundle.OnMachine{Machine: "10"}},
			}).Draw(t, "placement"))
		}
		return a
	})
}

// bundles draws a bundle in the order that Parse gives: sorted by name.
func bundles() *rapid.Generator[*bundle.Bundle] {
	return rapid.Custom(func(t *rapid.T) *bundle.Bundle {
		b := &bundle.Bundle{Series: rapid.SampledFrom([]string{"", "jammy"}).Draw(t, "series")}
		for i := range 4 {
			if rapid.Bool().Draw(t, "present") {
				b.Applications = append(b.Applications, application(model.ApplicationName(fmt.Sprintf("app-%c", 'a'+i))).Draw(t, "application"))
			}
		}
		for _, m := range []model.MachineName{"1", "2", "10"} {
			if rapid.Bool().Draw(t, "machine") {
				b.Machines = append(b.Machines, bundle.Machine{Name: m, Constraints: optional(constraintSet).Draw(t, "constraints")})
			}
		}
		for i := range b.Applications {
			for j := range i {
				if endpoints := rapid.SampledFrom([]string{"", "named", "other"}).Draw(t, "relation"); endpoints != "" {
					end := model.EndpointName(endpoints)
					b.Relations = append(b.Relations, bundle.Relation{{Application: b.Applications[i].Name, Endpoint: end}, {Application: b.Applications[j].Name, Endpoint: end}})
				}
			}
		}
		return b
	})
}
