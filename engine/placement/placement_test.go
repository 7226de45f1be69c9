package placement

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

const m = model.ModelName("m")

func apply(t *testing.T, s state.State, ops ...state.Op) state.State {
	t.Helper()
	next, _, err := s.Apply(state.Command{Version: state.FormatVersion, Now: time.Unix(0, 0), Origin: state.Operator, Ops: ops})
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// deploy adds an application whose units are placed as the directives say.
func deploy(name string, units int, c model.Constraints, to ...string) state.Op {
	op := state.AddApplication{Model: m, Name: model.ApplicationName(name), Charm: "c", Hash: "h", Units: units, Constraints: c}
	for _, text := range to {
		p, err := state.ParsePlacement(text)
		if err != nil {
			panic(err)
		}
		op.To = append(op.To, p)
	}
	return op
}

func empty(t *testing.T) state.State {
	return apply(t, state.Empty(), state.AddModel{Model: m, UUID: "u"},
		state.AddCharm{Model: m, Hash: "h", Declared: charm.Charm{Meta: charm.Meta{Name: "c"}}})
}

// written is a plan on one line: units with the machine, +N for the Nth new
// one, or ! and why not.
func written(decisions []Decision) string {
	var parts []string
	for _, d := range decisions {
		at := string(d.Machine)
		if d.New > 0 {
			at = fmt.Sprintf("+%d", d.New)
		}
		if d.Refused != "" {
			at = "!" + d.Refused
		}
		parts = append(parts, fmt.Sprintf("%v=%s", d.Unit, at))
	}
	return strings.Join(parts, " ")
}

func TestPlace(t *testing.T) {
	big := model.Constraints{Cores: 8, MemMiB: 4096}
	none := model.Constraints{}
	machine := func(c model.Constraints) state.Op { return state.AddMachine{Model: m, Constraints: c} }
	joined := func(name string, cores int, arch string) state.Op {
		return state.MachineJoined{
			Model: m, Machine: model.MachineName(name), Address: "10.0.0.1",
			Hardware: state.Hardware{Cores: cores, MemMiB: 8192, DiskMiB: 9999, Arch: arch},
		}
	}
	for _, test := range []struct {
		rule string
		ops  []state.Op
		want string
	}{
		{"each unit gets a machine of its own", []state.Op{deploy("a", 2, none), deploy("b", 1, none)}, "a/0=+1 a/1=+2 b/0=+3"},
		{"a machine that was added is used first", []state.Op{machine(none), deploy("a", 2, none)}, "a/0=0 a/1=+1"},
		{"unless it offers too little", []state.Op{machine(none), deploy("a", 1, big)}, "a/0=+1"},
		{"what a machine was asked for counts until it joins", []state.Op{machine(big), deploy("a", 1, big)}, "a/0=0"},
		{"then what it turned out to be", []state.Op{machine(big), joined("0", 2, "amd64"), deploy("a", 1, big)}, "a/0=+1"},
		{"tags are all wanted", []state.Op{machine(model.Constraints{Tags: "ssd"}), deploy("a", 1, model.Constraints{Tags: "ssd,gpu"})}, "a/0=+1"},
		{"new is never a machine that is there", []state.Op{machine(none), deploy("a", 1, none, "new")}, "a/0=+1"},
		{"a named machine takes any number", []state.Op{machine(none), deploy("a", 2, none, "0", "0")}, "a/0=0 a/1=0"},
		{"a machine that one was sent to is not free for others", []state.Op{machine(none), deploy("a", 1, none), deploy("b", 1, none, "0")}, "a/0=+1 b/0=0"},
		{"a unit goes beside a unit that is planned with it", []state.Op{deploy("a", 1, none, "b/1"), deploy("b", 2, none)}, "a/0=+2 b/0=+1 b/1=+2"},
		{"units beside an application spread over its machines", []state.Op{deploy("a", 4, none, "b", "b", "b", "b"), deploy("b", 2, none)}, "a/0=+1 a/1=+2 a/2=+1 a/3=+2 b/0=+1 b/1=+2"},
		{
			"two that want to be beside each other are refused",
			[]state.Op{deploy("a", 1, none, "b/0"), deploy("b", 1, none, "a/0")},
			"a/0=!b/0, which it is to be placed beside, has no machine b/0=!a/0, which it is to be placed beside, has no machine",
		},
		{
			"beside an application that is not there is refused",
			[]state.Op{deploy("a", 1, none, "nobody")},
			"a/0=!application nobody has no unit to be placed beside: add one, or place the unit elsewhere",
		},
		{
			"a machine of another architecture is refused",
			[]state.Op{machine(none), joined("0", 4, "arm64"), deploy("a", 1, model.Constraints{Arch: "amd64"}, "0")},
			"a/0=!machine 0 is arm64 and a wants amd64: change its constraints or its placement",
		},
		{
			"a machine that leaves is refused",
			[]state.Op{machine(none), deploy("a", 1, none, "0"), state.RemoveMachine{Model: m, Machine: "0"}},
			"a/0=!machine 0 is being removed: remove the unit and add it elsewhere",
		},
		{"what is placed is left alone", []state.Op{deploy("a", 2, none), state.RequestMachine{Model: m, Units: []model.UnitName{{Application: "a"}}}}, "a/1=+1"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			s := apply(t, empty(t), test.ops...)
			if got := written(Place(s, m)); got != test.want {
				t.Errorf("placed %s\nwant   %s", got, test.want)
			}
		})
	}
}
