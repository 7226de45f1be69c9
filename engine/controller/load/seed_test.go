package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/solver"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const (
	controllerID = "load-controller"
	modelUUID    = "7f0e9a52-11a5-4f0d-9d0f-0a55d1c0ffee"
	entry        = 500 // commands in one entry of the log
	arriving     = 200 // agents at once
)

// seeded is a controller's directory with a model in its log: machines whose
// agents have certificates, and a unit of each application on every machine.
type seeded struct {
	b         *testing.B
	dir       string
	node      *consensus.Node
	authority *pki.Authority
	agents    []*agent
}

// seed makes the directory, as a controller would have left it.
func seed(b *testing.B, agents, applications int) *seeded {
	b.Helper()
	s := &seeded{b: b, dir: b.TempDir()}
	must(b, os.MkdirAll(filepath.Join(s.dir, "pki"), 0o700))
	must(b, os.WriteFile(filepath.Join(s.dir, "id"), []byte(controllerID), 0o600))
	var err error
	s.authority, err = pki.OpenAuthority(filepath.Join(s.dir, "pki"), time.Now())
	must(b, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	s.node, err = consensus.Open(consensus.Config{
		ID: controllerID, Dir: filepath.Join(s.dir, "raft"), Address: controllerID, Listener: listener,
		Dial: func(context.Context, string) (net.Conn, error) { return nil, errors.New("there is no other") },
		Log:  slog.New(slog.DiscardHandler), Now: time.Now,
	})
	must(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	var running fleet
	running.running.Go(func() { ended <- s.node.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) })
	must(b, s.node.Led(ctx))
	s.machines(agents)
	s.applications(agents, applications)
	cancel()
	must(b, <-ended)
	return s
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// propose commits one command for each op; none may be refused.
func (s *seeded) propose(origin state.Origin, ops ...state.Op) {
	s.b.Helper()
	var commands []state.Command
	for _, op := range ops {
		commands = append(commands, state.Command{Origin: origin, Author: "load", Ops: []state.Op{op}})
	}
	s.commit(commands)
}

func (s *seeded) commit(commands []state.Command) {
	s.b.Helper()
	for chunk := range slices.Chunk(commands, entry) {
		outcomes, err := s.node.Propose(context.Background(), chunk...)
		must(s.b, err)
		for _, o := range outcomes {
			if !errors.Is(o.Err, model.ErrConflict) { // the solver derives it anew
				must(s.b, o.Err)
			}
		}
	}
}

// facts are what an agent says of its host.
func facts(i int) effect.HostFacts {
	address := netip.AddrFrom4([4]byte{10, byte(64 + i>>16), byte(i >> 8), byte(i)})
	return effect.HostFacts{Hostname: "host" + strconv.Itoa(i), Arch: "amd64", Cores: 2, MemoryMiB: 1024, Address: address.String()}
}

// machines makes machines that have joined.
func (s *seeded) machines(count int) {
	s.b.Helper()
	s.propose(state.Operator, state.AddModel{Model: modelName, UUID: modelUUID, Provider: provider})
	s.propose(state.Operator, slices.Repeat([]state.Op{state.AddMachine{Model: modelName}}, count)...)
	var ops []state.Op
	for i, m := range s.node.State().Machines(modelName) {
		key, certificate, fingerprint, err := s.authority.Issue(pki.Agent, m.UUID, time.Now(), 0)
		must(s.b, err)
		host := facts(i)
		ops = append(ops,
			state.AddToken{Hash: fingerprint, Machine: m.UUID, Expires: time.Now().Add(time.Hour)},
			state.RedeemToken{Hash: fingerprint, Machine: m.UUID, Certificate: fingerprint, Until: time.Now().Add(24 * time.Hour)},
			state.MachineJoined{Model: modelName, Machine: m.Name, Address: host.Address, Hardware: state.Hardware{Arch: host.Arch, Cores: host.Cores, MemMiB: host.MemoryMiB}})
		s.agents = append(s.agents, &agent{
			machine: m.UUID, host: host, known: map[model.UnitName]effect.Known{},
			as: client.Context{CA: s.authority.PEM(), Certificate: certificate, Key: key},
		})
	}
	s.propose(state.Agents, ops...)
}

// applications deploys what has one unit on every machine.
func (s *seeded) applications(machines, count int) {
	s.b.Helper()
	charms, err := charmed()
	must(s.b, err)
	var ops []state.Op
	for _, c := range charms {
		ops = append(ops, state.AddCharm{Model: modelName, Hash: c.Hash, Artifact: c.Location, Declared: c.Declared})
	}
	var to []state.Placement
	for _, m := range s.node.State().Machines(modelName) {
		p, err := state.ParsePlacement(string(m.Name))
		must(s.b, err)
		to = append(to, p)
	}
	for i := range count {
		ops = append(ops, state.AddApplication{
			Model: modelName, Name: model.ApplicationName(fmt.Sprintf("a%da", i)), Charm: charms[0].Declared.Meta.Name, Hash: charms[0].Hash, Units: machines, To: to,
		})
	}
	s.propose(state.Operator, ops...)
	seen := solver.NewObserved(time.Now())
	for {
		commands, _ := solver.Solve(s.node.State(), solver.Everything(), seen)
		if len(commands) == 0 {
			return
		}
		s.commit(commands)
	}
}

// run has the agents come, no more at a time than the controller does
// handshakes, and waits until each has its units.
func (s *seeded) run(p *process, applications int) *fleet {
	s.b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	f := &fleet{end: cancel, agents: s.agents}
	began := time.Now()
	for i, a := range s.agents {
		if i%arriving == 0 {
			f.await(s.b, "the agents so far have sessions", func() bool { return f.connected.Load() == int64(i) })
		}
		a.fleet, a.as.Addresses = f, p.ready.Addresses
		f.running.Go(func() { _ = a.run(ctx) })
	}
	f.await(s.b, "every agent has its units", func() bool {
		return f.connected.Load() == int64(len(s.agents)) && f.units.Load() == int64(len(s.agents)*applications)
	})
	figure("%d agents, to all with a session and told of their %d units: %.1f s, %.1f s of the controller's processor time",
		len(s.agents), len(s.agents)*applications, time.Since(began).Seconds(), p.processor(s.b).Seconds())
	return f
}
