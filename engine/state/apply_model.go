package state

import (
	"crypto/sha256"
	"fmt"
	"net/netip"

	"github.com/gantry-orchestrator/gantry/model"
)

func (o AddModel) summary() string { return "add model " + string(o.Model) }

func (o AddModel) apply(w *writer) error {
	if _, err := model.ParseModelName(string(o.Model)); err != nil {
		return err
	}
	if _, exists := w.Model(o.Model); exists {
		return fmt.Errorf("model %s: there is one already: %w", o.Model, model.ErrConflict)
	}
	if err := plain("model UUID", o.UUID); err != nil {
		return err
	}
	put(w, &w.models, Model{Name: o.Model, UUID: o.UUID, Provider: o.Provider, CIDR: o.CIDR})
	return nil
}

func (o SetNetwork) summary() string { return fmt.Sprintf("set network of %s to %s", o.Model, o.CIDR) }

// apply writes every application again: the network is in the spec of each of
// its units, whose generation must rise.
func (o SetNetwork) apply(w *writer) error {
	m, err := w.model(o.Model)
	if err != nil {
		return err
	}
	if _, err := netip.ParsePrefix(o.CIDR); err != nil {
		return fmt.Errorf("network %q: expected a prefix such as 10.77.0.0/16: %w", o.CIDR, model.ErrInvalid)
	}
	if m.CIDR == o.CIDR {
		return nil
	}
	m.CIDR = o.CIDR
	put(w, &w.models, m)
	for _, a := range w.Applications(o.Model) {
		put(w, &w.applications, a)
	}
	return nil
}

func (o DestroyModel) summary() string { return "destroy model " + string(o.Model) }

func (o DestroyModel) apply(w *writer) error {
	m, err := w.model(o.Model)
	if err != nil {
		return err
	}
	m.Life, m.DestroyStorage = model.Dying, m.DestroyStorage || o.DestroyStorage
	put(w, &w.models, m)
	for _, a := range w.Applications(o.Model) {
		w.departApplication(a, departure{o.DestroyStorage, o.Force})
	}
	for _, machine := range w.Machines(o.Model) {
		w.departMachine(machine)
	}
	return nil
}

func (o AddCharm) summary() string {
	return fmt.Sprintf("add charm %s (%.12s)", o.Declared.Meta.Name, o.Hash)
}

func (o AddCharm) apply(w *writer) error {
	if _, err := w.living(o.Model); err != nil {
		return err
	}
	if err := plain("charm", string(o.Declared.Meta.Name), o.Hash); err != nil {
		return err
	}
	if _, exists := w.Charm(o.Model, o.Declared.Meta.Name, o.Hash); exists {
		return nil
	}
	put(w, &w.charms, Charm{
		Model: o.Model, Name: o.Declared.Meta.Name, Hash: o.Hash,
		Artifact: o.Artifact, Declared: o.Declared, Shared: o.Shared,
	})
	return nil
}

func (o AddMachine) summary() string { return "add a machine to " + string(o.Model) }

func (o AddMachine) apply(w *writer) error {
	m, err := w.living(o.Model)
	if err != nil {
		return err
	}
	w.newMachine(m, Machine{Constraints: o.Constraints, Base: o.Base, Packages: o.Packages, Manual: true})
	return nil
}

// newMachine makes a machine's row under the model's next number.
func (w *writer) newMachine(m Model, row Machine) Machine {
	row.Model, row.Name = m.Name, model.MachineName(fmt.Sprint(m.NextMachine))
	row.UUID = machineUUID(m.UUID, row.Name)
	row.State, row.Since = MachineRequested, w.head.Now
	m.NextMachine++
	put(w, &w.models, m)
	row = put(w, &w.machines, row)
	w.created = append(w.created, row.Ref().Key())
	return row
}

// machineUUID derives a machine's identity from its model's, which is random,
// so that every replica gives it the same (a UUID of version 8, RFC 9562).
func machineUUID(uuid string, name model.MachineName) string {
	sum := sha256.Sum256([]byte(uuid + separator + string(name)))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (o RemoveMachine) summary() string { return "remove machine " + string(o.Machine) }

func (o RemoveMachine) apply(w *writer) error {
	m, err := w.machine(o.Model, o.Machine)
	if err != nil {
		return err
	}
	for _, u := range w.UnitsOn(m.Ref()) {
		switch {
		case u.Life == model.Dead:
		case !o.Force:
			return fmt.Errorf("remove machine %s: %v is on it: remove the unit first, or use --force: %w", m.Name, u.Name, model.ErrConflict)
		default:
			w.departUnit(u, departure{force: true})
		}
	}
	w.departMachine(m)
	return nil
}

// departMachine makes a machine dying; the solver buries it once it is empty.
func (w *writer) departMachine(m Machine) {
	if m.Life == model.Alive {
		m.Life, m.Since = model.Dying, w.head.Now
		put(w, &w.machines, m)
	}
}

func (o AcknowledgeLost) summary() string {
	return "acknowledge the loss of machine " + string(o.Machine)
}

func (o AcknowledgeLost) apply(w *writer) error {
	m, err := w.machine(o.Model, o.Machine)
	if err != nil || m.Fenced {
		return err
	}
	m.Fenced, m.State, m.Since = true, MachineLost, w.head.Now
	put(w, &w.machines, m)
	remove(w, &w.agents, agentKey(m.UUID))
	return nil
}

func (o MachineJoined) summary() string { return fmt.Sprintf("machine %s joined", o.Machine) }

func (o MachineJoined) apply(w *writer) error {
	m, err := w.machine(o.Model, o.Machine)
	if err != nil {
		return err
	}
	if err := unfenced(m); err != nil {
		return err
	}
	if m.State == MachineReady && m.Address == o.Address && m.Hardware == o.Hardware {
		return nil
	}
	if m.State != MachineReady {
		m.State, m.Since = MachineReady, w.head.Now
	}
	m.Address, m.Hardware = o.Address, o.Hardware
	put(w, &w.machines, m)
	return nil
}

// unfenced refuses what a machine says after its loss was acknowledged.
func unfenced(m Machine) error {
	if m.Fenced {
		return fmt.Errorf("machine %s was acknowledged lost: remove it and add another: %w", m.Name, model.ErrDenied)
	}
	return nil
}

func (o MachineDown) summary() string { return fmt.Sprintf("machine %s is down", o.Machine) }

func (o MachineDown) apply(w *writer) error {
	m, err := w.machine(o.Model, o.Machine)
	if err != nil || m.State != MachineReady {
		return err
	}
	m.State, m.Since = MachineLost, w.head.Now
	put(w, &w.machines, m)
	return nil
}

func (o MachineGone) summary() string { return fmt.Sprintf("machine %s is gone", o.Machine) }

func (o MachineGone) apply(w *writer) error {
	m, err := w.machine(o.Model, o.Machine)
	if err != nil {
		return err
	}
	if m.Life != model.Dead {
		return fmt.Errorf("machine %s is gone, but %v: %w", m.Name, m.Life, model.ErrConflict)
	}
	for _, op := range w.PendingOnMachine(m.Ref()) {
		w.finish(op, "its machine is gone")
	}
	for _, t := range w.tokens.under(nil) {
		if t.Machine == m.UUID {
			remove(w, &w.tokens, tokenKey(t.Hash))
		}
	}
	for _, l := range w.Leftovers(o.Model) {
		if l.MachineUUID == m.UUID {
			remove(w, &w.leftovers, leftoverSchema.key(&l))
		}
	}
	remove(w, &w.agents, agentKey(m.UUID))
	remove(w, &w.machines, m.Ref().Key())
	return nil
}
