package store

import (
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/engine/provider"
)

// Instance is what a record and its first process say of a machine. Where it
// is, its provider adds.
func (r Record) Instance() provider.Instance {
	i := provider.Instance{UUID: r.UUID, Model: r.Model, Name: r.Name, Address: r.Address, State: provider.Stopped}
	switch {
	case r.Process.Alive():
		i.State, i.PID = provider.Running, r.Process.PID
	case r.Process.PID == 0:
		i.Message = "its creation was interrupted"
	default:
		i.Message = "its first process ended"
	}
	return i
}

// Instances lists the machines of all records by UUID, each as its provider
// completes it, and those whose record cannot be read as broken.
func (s *Store) Instances(complete func(Record) provider.Instance) ([]provider.Instance, error) {
	records, broken, err := s.List()
	if err != nil {
		return nil, err
	}
	var all []provider.Instance
	for _, r := range records {
		all = append(all, complete(r))
	}
	for uuid, err := range broken {
		all = append(all, provider.Instance{UUID: uuid, State: provider.Broken, Message: err.Error()})
	}
	slices.SortFunc(all, func(a, b provider.Instance) int { return strings.Compare(a.UUID, b.UUID) })
	return all, nil
}
