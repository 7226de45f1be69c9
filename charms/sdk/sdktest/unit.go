package sdktest

import (
	"maps"
	"path"
	"slices"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Unit is one unit and its host.
type Unit struct {
	name    model.UnitName
	life    model.Life
	journal []effect.Applied
	seen    effect.Observed // Spec, Live and Facts are filled in anew each time
	bags    map[model.RelationID]map[string]string
	records []effect.Record
	secrets []effect.Secret
	grants  []effect.Grant
	want    effect.Desired
	asked   bool // Reconcile was called at least once
	settled bool
	done    []effect.Step // in the order performed
	holding map[string]effect.Turn

	generation string         // hash of the spec that answers are of
	answers    map[string]int // how often each was given anew
}

// Name is the unit's.
func (u *Unit) Name() model.UnitName { return u.name }

// Desired is what the charm wanted last.
func (u *Unit) Desired() effect.Desired { return u.want }

// Status is what the charm reported last.
func (u *Unit) Status() model.Status { return u.want.Status }

// Done are all steps that were carried out, in order.
func (u *Unit) Done() []effect.Step { return slices.Clone(u.done) }

// Forget empties Done.
func (u *Unit) Forget() { u.done = nil }

// Running reports whether a service runs.
func (u *Unit) Running(id effect.ID) bool { return u.seen.Services[id].Running }

// Bag is what the unit has published in a relation.
func (u *Unit) Bag(relation model.RelationID) map[string]string { return u.bags[relation] }

// input is all that a unit may know now.
func (m *Model) input(u *Unit) effect.Input {
	in := effect.Input{Spec: m.spec(u), Live: m.live(u), Now: m.now, Host: m.host(u)}
	in.Facts = m.factsOf(u)
	if m.stale != nil {
		in.Facts = m.stale(u, in.Facts)
	}
	return in
}

func (m *Model) spec(u *Unit) effect.Spec {
	planned := 0
	for _, other := range m.units {
		if other.life == model.Alive {
			planned++
		}
	}
	s := effect.Spec{
		Model: "test", Unit: u.name, Life: u.life, ApplicationLife: m.life,
		Charm: effect.Charm{Name: m.builtin.Name, Revision: "test"}, Machine: "0",
		Address: address(u.name.Number), CIDR: "10.0.0.0/24", Planned: planned, Config: maps.Clone(m.config),
		Records: slices.Concat(m.records, u.records), Secrets: slices.Concat(m.secrets, u.secrets, m.granted),
	}
	for _, r := range m.relations {
		if r.Role == model.Peer {
			r.Bag = maps.Clone(m.bags[r.ID])
			r.Units = m.peers(u, r.ID)
		}
		s.Relations = append(s.Relations, r)
	}
	return s
}

func (m *Model) peers(u *Unit, id model.RelationID) []effect.Remote {
	var peers []effect.Remote
	for _, p := range m.units {
		if p != u {
			peers = append(peers, effect.Remote{
				Unit: p.name, Life: p.life, Gone: p.life == model.Dead, Address: address(p.name.Number), Bag: maps.Clone(p.bags[id]),
			})
		}
	}
	return peers
}

func (m *Model) live(u *Unit) effect.Live {
	l := effect.Live{
		Leader: m.leader == u.name.Number, Grants: slices.Clone(u.grants),
		Receipts: slices.Clone(m.receipts), Warrants: slices.Clone(m.warrants),
	}
	if l.Leader {
		l.Token = m.token
	}
	if m.order != nil {
		order := m.order.current()
		l.Order = &order
	}
	for _, r := range m.relations {
		l.Own = append(l.Own, effect.OwnBag{Relation: r.ID, Unit: maps.Clone(u.bags[r.ID]), Application: maps.Clone(m.bags[r.ID])})
	}
	return l
}

// host gives every unit the directories that a machine agent as root would.
func (m *Model) host(u *Unit) effect.Host {
	dir := func(under string) string { return path.Join(under, u.name.Dashed()) }
	return effect.Host{
		Root: "/", Data: dir("/var/lib/gantry/data"), Config: dir("/var/lib/gantry/config"), Run: dir("/run/gantry/unit"), Log: dir("/var/log/gantry"),
		Software: "/var/lib/gantry/software",
		Program:  []string{"/usr/bin/gantry", "charm-exec", string(m.builtin.Name), "run"}, Superuser: true, User: "root",
	}
}

// factsOf answers the probes that the charm last asked for: by its twin, the
// scenario, what performed tasks yielded, and for the health of services
// whether they run. What none of them knows is unknown.
func (m *Model) factsOf(u *Unit) map[effect.ProbeID]effect.Fact {
	facts := map[effect.ProbeID]effect.Fact{}
	for _, s := range u.want.Services {
		if s.Health != "" && u.Running(s.ID) {
			facts[s.Health] = effect.Fact{Value: healthy(s)}
		}
	}
	maps.Copy(facts, u.seen.Facts)
	for _, p := range u.want.Probes {
		if value, known := m.facts[p.ID]; known {
			facts[p.ID] = effect.Fact{Value: value}
		}
		if value, known := m.twin.Answer(m.world, u.name, p); known {
			facts[p.ID] = effect.Fact{Value: value}
		} else if _, twin := m.twin.(noTwin); !twin {
			delete(facts, p.ID)
		}
	}
	for _, v := range u.want.Volumes {
		facts[effect.ProbeID(effect.VolumeFact+string(v.ID))] = effect.Fact{Value: u.volume(v.ID)}
	}
	return facts
}

func (u *Unit) volume(id effect.ID) string {
	if state, known := u.seen.Volumes[id]; known {
		return state
	}
	return effect.VolumeEmpty
}

func healthy(s effect.Service) string {
	if s.Healthy != "" {
		return s.Healthy
	}
	return "true"
}

// observed is what the unit's agent would find, with the truth about facts.
func (m *Model) observed(u *Unit) effect.Observed {
	o := u.seen
	o.Spec, o.Live, o.Facts = m.spec(u), m.live(u), m.factsOf(u)
	o.Volumes = maps.Clone(u.seen.Volumes)
	for _, v := range u.want.Volumes {
		o.Volumes[v.ID] = u.volume(v.ID)
	}
	return o
}

// files are those that are on the unit's host.
func (u *Unit) files() []effect.File {
	var files []effect.File
	for _, a := range u.journal {
		if a.Effect.File != nil {
			files = append(files, *a.Effect.File)
		}
	}
	return files
}

// Crash ends a service as kill -9 would; its supervisor starts it again in the
// next Settle.
func (m *Model) Crash(number int, id effect.ID) {
	u := m.Unit(number)
	if u.Running(id) {
		u.seen.Services = maps.Clone(u.seen.Services)
		u.seen.Services[id] = effect.ServiceState{}
		m.event(sdk.ServiceStopped{Unit: u.name, Service: id, Crashed: true})
	}
}

// Cut takes a unit off the network, until Heal.
func (m *Model) Cut(number int) { m.event(sdk.UnitCut{Unit: m.Unit(number).name}) }

// Heal brings a unit back to the network.
func (m *Model) Heal(number int) { m.event(sdk.UnitHealed{Unit: m.Unit(number).name}) }
