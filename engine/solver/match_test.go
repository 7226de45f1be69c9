package solver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

func side(ref string, subordinate bool, endpoints ...model.Endpoint) Side {
	r, err := model.ParseEndpointRef(ref)
	if err != nil {
		panic(err)
	}
	return Side{Ref: r, Meta: charm.Meta{Subordinate: subordinate, Endpoints: append(endpoints, charm.JujuInfo)}, Used: map[model.EndpointName]int{}}
}

func TestMatch(t *testing.T) {
	db := endpoint("db", "sql", model.Provides, "", 0)
	admin := endpoint("admin", "sql", model.Provides, "", 0)
	store := endpoint("store", "sql", model.Requires, "", 1)
	info := endpoint("info", "juju-info", model.Requires, model.ContainerScope, 0)
	proxied := endpoint("proxied", "sql", model.Provides, model.ContainerScope, 0)
	peers := endpoint("peers", "sql", model.Peer, "", 0)
	full := side("tm", false, store)
	full.Used["store"] = 1
	for _, test := range []struct {
		rule string
		a, b Side
		want string // the ends, or what the error says
		err  error
	}{
		{"the one pair that fits is taken", side("pg", false, db), side("tm", false, store), "pg:db tm:store", nil},
		{"the order of the sides does not matter", side("tm", false, store), side("pg", false, db), "tm:store pg:db", nil},
		{"two that fit are refused with both named", side("pg", false, admin, db), side("tm", false, store), "pg:admin with tm:store, or pg:db with tm:store", model.ErrInvalid},
		{"a named endpoint settles it", side("pg:db", false, admin, db), side("tm", false, store), "pg:db tm:store", nil},
		{"an unknown endpoint is refused with the nearest", side("pg:dbb", false, db), side("tm", false, store), `did you mean "db"?`, model.ErrInvalid},
		{"a peer endpoint joins no other application", side("pg", false, peers), side("tm", false, store), "no endpoints fit", model.ErrInvalid},
		{"a limit that is reached is a conflict", side("pg", false, db), full, "the limit of relations is reached", model.ErrConflict},
		{"a full endpoint is not replaced by the implicit one", side("pg", true, db, info), full, "the limit of relations is reached", model.ErrConflict},
		{"the implicit juju-info serves a subordinate", side("log", true, info), side("tm", false, store), "log:info tm:juju-info", nil},
		{"a container relation needs a subordinate", side("log", false, info), side("tm", false), "no endpoints fit", model.ErrInvalid},
		{"a container relation needs a principal", side("px", true, proxied), side("tm", true, store), "no endpoints fit", model.ErrInvalid},
		{"an application is not related to itself", side("pg", false, db), side("pg", false, store), "cannot be related to itself", model.ErrInvalid},
	} {
		t.Run(test.rule, func(t *testing.T) {
			a, b, err := Match(test.a, test.b)
			if test.err != nil {
				if !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want %q of class %v", err, test.want, test.err)
				}
				return
			}
			if got := fmt.Sprint(a, " ", b); err != nil || got != test.want {
				t.Errorf("matched %s, %v; want %s", got, err, test.want)
			}
		})
	}
}

// oracle states the rules of matching one by one, over all pairs.
func oracle(a, b Side) []string {
	rules := []func(x, y model.Endpoint) bool{
		func(x, _ model.Endpoint) bool { return a.Ref.Endpoint == "" || a.Ref.Endpoint == x.Name },
		func(_, y model.Endpoint) bool { return b.Ref.Endpoint == "" || b.Ref.Endpoint == y.Name },
		func(x, y model.Endpoint) bool { return x.Interface == y.Interface },
		func(x, y model.Endpoint) bool {
			return x.Role == model.Provides && y.Role == model.Requires || x.Role == model.Requires && y.Role == model.Provides
		},
		func(x, y model.Endpoint) bool {
			return x.Scope != model.ContainerScope && y.Scope != model.ContainerScope || a.Meta.Subordinate != b.Meta.Subordinate
		},
	}
	var declared, implicit []string
	declaredFull := false
	for _, x := range a.Meta.Endpoints {
		for _, y := range b.Meta.Endpoints {
			if slices.ContainsFunc(rules, func(rule func(x, y model.Endpoint) bool) bool { return !rule(x, y) }) {
				continue
			}
			full := x.Limit > 0 && a.Used[x.Name] >= x.Limit || y.Limit > 0 && b.Used[y.Name] >= y.Limit
			juju := x.Name == "juju-info" || y.Name == "juju-info"
			switch name := fmt.Sprintf("%s %s", x.Name, y.Name); {
			case full:
				declaredFull = declaredFull || !juju
			case juju:
				implicit = append(implicit, name)
			default:
				declared = append(declared, name)
			}
		}
	}
	if len(declared) > 0 || declaredFull {
		return declared
	}
	return implicit
}

func TestPropertyMatchFindsExactlyWhatTheOracleDoes(t *testing.T) {
	draw := func(t *rapid.T, name string) Side {
		s := side(name, rapid.Bool().Draw(t, "subordinate"))
		s.Meta.Endpoints = []model.Endpoint{charm.JujuInfo}
		for i := range rapid.IntRange(0, 4).Draw(t, "endpoints") {
			e := endpoint(fmt.Sprint("e", i),
				rapid.SampledFrom([]string{"sql", "http", "juju-info"}).Draw(t, "interface"),
				rapid.SampledFrom([]model.Role{model.Provides, model.Requires, model.Peer}).Draw(t, "role"),
				rapid.SampledFrom([]model.Scope{"", model.GlobalScope, model.ContainerScope}).Draw(t, "scope"),
				rapid.IntRange(0, 2).Draw(t, "limit"))
			s.Meta.Endpoints = append(s.Meta.Endpoints, e)
			s.Used[e.Name] = rapid.IntRange(0, 2).Draw(t, "used")
		}
		if rapid.Bool().Draw(t, "named") {
			s.Ref.Endpoint = rapid.SampledFrom(s.Meta.Endpoints).Draw(t, "endpoint").Name
		}
		return s
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		want := oracle(a, b)
		x, y, err := Match(a, b)
		switch {
		case len(want) == 1:
			if got := fmt.Sprintf("%s %s", x.Endpoint, y.Endpoint); err != nil || got != want[0] {
				t.Fatalf("matched %q, %v; want %q", got, err, want[0])
			}
		case err == nil:
			t.Fatalf("matched %v with %v; the oracle has %v", x, y, want)
		case len(want) > 1 && !errors.Is(err, model.ErrInvalid):
			t.Fatalf("ambiguity is %v", err)
		}
		for _, pair := range want {
			names := strings.Fields(pair)
			if len(want) > 1 && !strings.Contains(err.Error(), fmt.Sprintf("a:%s with b:%s", names[0], names[1])) {
				t.Fatalf("%v does not list %v", err, names)
			}
		}
	})
}
