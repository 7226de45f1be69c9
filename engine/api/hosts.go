package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// tokenLife is how long a machine has to join; a host agent that asks anew is
// given another token.
const tokenLife = time.Hour

// Wanted sends the machines that a host agent is to make, now and after every
// change of them.
func (s *Service) Wanted(ctx context.Context, provider string, send func(provision.Wanted) error) error {
	who, err := caller(ctx, Host, "")
	if err != nil {
		return err
	}
	tokens := map[string]string{}
	var last provision.Wanted
	for sent := false; ; sent = true {
		st, began := s.log.State(), time.Now()
		wanted := wantedOf(st, provider)
		for i, m := range wanted.Machines {
			if _, joined := st.Agent(m.UUID); joined || m.Life == model.Dead {
				continue
			}
			if tokens[m.UUID] == "" {
				if tokens[m.UUID], err = s.issue(ctx, who, m.UUID); err != nil {
					return err
				}
			}
			wanted.Machines[i].Token = tokens[m.UUID]
		}
		if !sent || !reflect.DeepEqual(wanted, last) {
			if err := send(wanted); err != nil {
				return err
			}
			last = wanted
		}
		if err := rest(ctx, wantedShare*time.Since(began)); err != nil {
			return err
		}
		if err := s.concerned(ctx, st); err != nil {
			return err
		}
	}
}

// wantedShare is which part of the time, at most, goes into looking through all
// machines for a host agent.
const wantedShare = 5

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// concerned returns once something has changed since a state that host agents
// may be told of.
func (s *Service) concerned(ctx context.Context, st state.State) error {
	for index := st.Index(); ; {
		changes, next, err := s.log.Changes(ctx, index)
		switch {
		case errors.Is(err, model.ErrNotFound): // too far behind
			return nil
		case err != nil:
			return err
		case s.log.State().Backups().Restored != st.Backups().Restored:
			return nil
		}
		for _, c := range changes {
			if slices.ContainsFunc(c.Keys, func(k state.Key) bool { return ofMachines[k.Table] }) {
				return nil
			}
		}
		index = next
	}
}

// ofMachines are the tables that what host agents are told is made from.
var ofMachines = map[tables.Name]bool{
	tables.Model: true, tables.Charm: true, tables.Application: true, tables.Unit: true, tables.Machine: true, tables.Agent: true,
}

// issue makes a token for a machine and makes its hash known.
func (s *Service) issue(ctx context.Context, who Identity, uuid string) (string, error) {
	token, hash, err := s.c.Authority.IssueToken(uuid)
	if err != nil {
		return "", err
	}
	_, err = s.said(ctx, who, state.AddToken{Hash: hash, Machine: uuid, Expires: s.c.Now().Add(tokenLife)})
	return token, err
}

func wantedOf(st state.State, provider string) provision.Wanted {
	var w provision.Wanted
	if r := st.Backups().Restored; r != nil {
		w.Keep = r.Open
	}
	for _, m := range st.Models() {
		if provider != "" && m.Provider != provider {
			continue
		}
		for _, machine := range st.Machines(m.Name) {
			w.Machines = append(w.Machines, provision.Machine{
				UUID: machine.UUID, Model: m.Name, Name: machine.Name, Life: machine.Life, Base: machine.Base,
				Constraints: machine.Constraints, Packages: machine.Packages, Shared: sharedOn(st, machine),
				Software: softwareOf(st, machine),
			})
		}
		for _, u := range st.ModelUnits(m.Name) {
			host, ok := st.Machine(state.MachineRef{Model: m.Name, Machine: u.Machine})
			if ok && host.Address != "" && u.Life != model.Dead {
				w.Names = append(w.Names, provision.HostName{Name: u.Name.Dashed() + "." + string(m.Name) + ".gantry", Address: host.Address})
			}
		}
	}
	slices.SortFunc(w.Machines, func(a, b provision.Machine) int { return compare(a.UUID, b.UUID) })
	slices.SortFunc(w.Names, func(a, b provision.HostName) int { return compare(a.Name, b.Name) })
	return w
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	default:
		return 0
	}
}

// sharedOn is what the applications with units on a machine share.
func sharedOn(st state.State, m state.Machine) []provision.Directory {
	shared := map[string]provision.Directory{}
	for _, u := range st.UnitsOn(m.Ref()) {
		a, ok := st.Application(u.Ref().Application())
		if !ok {
			continue
		}
		c, _ := st.CharmOf(a)
		for _, d := range c.Shared {
			shared[string(a.Name)+"/"+d.Name] = provision.Directory{Application: a.Name, Name: d.Name, Path: d.Path}
		}
	}
	var list []provision.Directory
	for _, key := range slices.Sorted(maps.Keys(shared)) {
		list = append(list, shared[key])
	}
	return list
}

// softwareOf is what the charms of a machine's units have from the start, for
// as long as the machine is to be made: what comes later its agent fetches.
func softwareOf(st state.State, m state.Machine) []effect.Software {
	if m.State == state.MachineReady {
		return nil
	}
	all := map[string]effect.Software{}
	for _, u := range st.UnitsOn(m.Ref()) {
		a, ok := st.Application(u.Ref().Application())
		if !ok {
			continue
		}
		c, _ := st.CharmOf(a)
		for _, l := range c.Declared.Software {
			s := effect.Software{Name: l.Name, Version: l.Version, Jars: l.Jars}
			all[s.Directory()] = s
		}
	}
	var list []effect.Software
	for _, directory := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[directory])
	}
	return list
}

// machineOf finds a machine of which a host agent speaks.
func (s *Service) machineOf(ctx context.Context, uuid string) (Identity, state.Machine, error) {
	who, err := caller(ctx, Host, "")
	if err != nil {
		return who, state.Machine{}, err
	}
	m, ok := s.log.State().MachineByUUID(uuid)
	if !ok {
		return who, m, fmt.Errorf("machine %s: %w", uuid, model.ErrNotFound)
	}
	return who, m, nil
}

// MachineReady records where a machine is reached.
func (s *Service) MachineReady(ctx context.Context, uuid string, address netip.Addr, network netip.Prefix) error {
	who, m, err := s.machineOf(ctx, uuid)
	if err != nil {
		return err
	}
	var ops []state.Op
	if w, ok := s.log.State().Model(m.Model); ok && w.CIDR != network.String() {
		ops = append(ops, state.SetNetwork{Model: m.Model, CIDR: network.String()})
	}
	if m.Address != address.String() || m.State != state.MachineReady {
		ops = append(ops, state.MachineJoined{Model: m.Model, Machine: m.Name, Address: address.String(), Hardware: m.Hardware})
	}
	s.c.Live.Progress(m.Ref(), "")
	if len(ops) == 0 {
		return nil
	}
	_, err = s.said(ctx, who, ops...)
	return err
}

// MachineLost records that a machine does not run.
func (s *Service) MachineLost(ctx context.Context, uuid, reason string) error {
	who, m, err := s.machineOf(ctx, uuid)
	if err != nil {
		return err
	}
	s.c.Live.Progress(m.Ref(), reason)
	_, err = s.said(ctx, who, state.MachineDown{Model: m.Model, Machine: m.Name})
	return err
}

// MachineGone records that a machine was destroyed. Said again, as a host
// agent does that is still shown the dead machine, it is a success.
func (s *Service) MachineGone(ctx context.Context, uuid string, _ []string) error {
	who, m, err := s.machineOf(ctx, uuid)
	if errors.Is(err, model.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.c.Live.Progress(m.Ref(), "")
	_, err = s.said(ctx, who, state.MachineGone{Model: m.Model, Machine: m.Name})
	if errors.Is(err, model.ErrNotFound) {
		return nil
	}
	return err
}

// MachineProgress says how far a machine's making is.
func (s *Service) MachineProgress(ctx context.Context, uuid, text string) error {
	_, m, err := s.machineOf(ctx, uuid)
	if err != nil {
		return err
	}
	s.c.Live.Progress(m.Ref(), text)
	return nil
}

// HashToken is how a token's secret is known to the controller.
func HashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
