package kafka

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// world is the twin's cluster: what its nodes would agree on, without delay.
// Brokers apart from their controllers find these always there.
type world struct {
	nodes   map[model.UnitName]twinNode
	founded bool
	leader  model.UnitName
	broken  error // a promise that was not kept
}

type twinNode struct {
	broker, controller bool
	formatted          bool
	founder            bool
	running, cut       bool
	voter, registered  bool
	held               bool // partitions
}

// Begin implements sdk.Twin.
func (Charm) Begin(uint64) sdk.World { return world{nodes: map[model.UnitName]twinNode{}} }

// Step implements sdk.Twin.
func (Charm) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	c := w.(world)
	c.nodes = maps.Clone(c.nodes)
	var out sdk.Outcome
	switch e := e.(type) {
	case sdk.ServiceStarted:
		c.start(e)
	case sdk.ServiceStopped:
		c.stop(e)
	case sdk.VolumeStamped:
		c.change(e.Unit, func(n *twinNode) { n.formatted = false })
	case sdk.TaskRan:
		if !e.Undo {
			out = c.run(e)
		}
	case sdk.UnitCut:
		c.change(e.Unit, func(n *twinNode) { n.cut = true })
	case sdk.UnitHealed:
		c.change(e.Unit, func(n *twinNode) { n.cut = false })
	case sdk.UnitRemoved:
		delete(c.nodes, e.Unit)
	}
	c.elect()
	return c, out
}

func (w *world) change(u model.UnitName, f func(*twinNode)) {
	n := w.nodes[u]
	f(&n)
	w.nodes[u] = n
}

func (w *world) start(e sdk.ServiceStarted) {
	w.change(e.Unit, func(n *twinNode) {
		if !n.formatted {
			w.broken = fmt.Errorf("%v starts on a directory that is not formatted", e.Unit)
			return
		}
		n.running = true
		if n.founder && !w.founded {
			n.voter, w.founded = true, true
		}
		n.broker = strings.Contains(role(e.Files), "broker")
		n.registered, n.held = n.broker, n.broker
	})
}

// role are the node's roles, as its configuration has them.
func role(files []effect.File) string {
	for _, f := range files {
		if f.ID != "file/"+propertiesFile || len(f.Content) == 0 {
			continue
		}
		for line := range strings.SplitSeq(f.Content[0].Text, "\n") {
			if roles, found := strings.CutPrefix(line, "process.roles="); found {
				return roles
			}
		}
	}
	return ""
}

func (w *world) stop(e sdk.ServiceStopped) {
	w.change(e.Unit, func(n *twinNode) { n.running = false })
}

func (w world) units() []model.UnitName {
	return slices.SortedFunc(maps.Keys(w.nodes), model.CompareUnits)
}

func (n twinNode) up() bool { return n.running && !n.cut }

// apart reports whether the controllers are another application's.
func (w world) apart() bool {
	for _, n := range w.nodes {
		if n.controller {
			return false
		}
	}
	return true
}

// quorum reports whether a majority of the voters is up.
func (w world) quorum() bool {
	voters, up := 0, 0
	for _, n := range w.nodes {
		if n.voter {
			voters++
			if n.up() {
				up++
			}
		}
	}
	return voters > 0 && up*2 > voters || w.apart()
}

func (w *world) elect() {
	if n := w.nodes[w.leader]; n.voter && n.up() && w.quorum() {
		return
	}
	w.leader = model.UnitName{}
	for _, u := range w.units() {
		if n := w.nodes[u]; n.voter && n.up() && w.quorum() {
			w.leader = u
			return
		}
	}
}

func (w *world) run(e sdk.TaskRan) sdk.Outcome {
	if e.Task.ID == formatID {
		w.format(e)
		return sdk.Outcome{}
	}
	if out, ok := requirer.Simulate(e.Task.Run); ok {
		return sdk.Outcome{Output: out}
	}
	if !w.quorum() {
		return sdk.Outcome{Failed: "no controller leads"}
	}
	n := w.nodes[e.Unit]
	switch e.Task.Run.Call {
	case callVote:
		if !n.up() {
			return sdk.Outcome{Failed: "it has not caught up"}
		}
		w.change(e.Unit, func(n *twinNode) { n.voter = true })
	case callLeave:
		w.change(e.Unit, func(n *twinNode) { n.voter, n.held = false, false })
	case callUnregister:
		if n.running {
			return sdk.Outcome{Failed: "the broker serves"}
		}
		w.change(e.Unit, func(n *twinNode) { n.registered = false })
	}
	return sdk.Outcome{}
}

func (w *world) format(e sdk.TaskRan) {
	command := e.Task.Run.Command
	w.change(e.Unit, func(n *twinNode) {
		if n.formatted {
			return
		}
		n.formatted = true
		n.founder = slices.Contains(command, "--standalone")
		n.controller = n.founder || slices.Contains(command, "--no-initial-controllers")
		if n.founder && w.founded {
			w.broken = fmt.Errorf("%v founds a second cluster", e.Unit)
		}
	})
}

// Answer implements sdk.Twin.
func (Charm) Answer(w sdk.World, unit model.UnitName, p effect.Probe) (string, bool) {
	c := w.(world)
	n := c.nodes[unit]
	switch p.ID {
	case nodeProbe:
		s := nodeStatus{Leader: c.leader.Number, Voter: n.voter, Broker: n.registered}
		return text(s), n.up() && c.quorum()
	case healthProbe:
		return "true", n.up() && c.quorum()
	case memberProbe:
		return fmt.Sprint(n.voter || !n.controller), n.up() && c.quorum()
	case tracesProbe:
		t := traces{Voter: n.voter, Registered: n.registered}
		if n.held {
			t.Held = 1
		}
		return text(t), c.quorum()
	case openProbe:
		return fmt.Sprint(n.running), true
	}
	return "", false
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("kafka: a simulated answer does not encode: " + err.Error())
	}
	return string(b)
}

// Safe implements sdk.Twin: one cluster was founded, and no node started on a
// directory that was not its own.
func (Charm) Safe(w sdk.World) error { return w.(world).broken }
