package effect

import "maps"

// Observed is what there is: what the agent found on the host, and what the
// controller has committed.
type Observed struct {
	Spec     Spec                `json:"spec"`
	Live     Live                `json:"live"`
	Packages map[string]string   `json:"packages,omitempty"` // installed: name to exact version
	Software map[string]bool     `json:"software,omitempty"` // whole: by Software.Directory
	Drifted  map[ID]string       `json:"drifted,omitempty"`  // applied files that are not as they were written, and how
	Volumes  map[ID]string       `json:"volumes,omitempty"`  // as a volume's fact; none is unknown
	Services map[ID]ServiceState `json:"services,omitempty"` // under supervision
	Facts    map[ProbeID]Fact    `json:"facts,omitempty"`
}

// ServiceState is one service as its supervisor has it.
type ServiceState struct {
	Running bool   `json:"running"`
	Process string `json:"process"` // Service.Process of what it was started with
}

// After is what there is once a step is done, if all goes as it should: the
// package is installed, the service runs, the Yields hold. Plans and
// simulations go by it where no twin knows better.
func (o Observed) After(s Step) Observed {
	switch s.Kind {
	case Install:
		o = expectInstalled(o, s.Effect)
	case Write:
		o.Drifted = maps.Clone(o.Drifted)
		delete(o.Drifted, s.ID)
	case Stamp, Wipe:
		o.Volumes = maps.Clone(o.Volumes)
		set(&o.Volumes, s.ID, VolumeStamped+s.Effect.Volume.Incarnation)
	case Destroy:
		o.Volumes = maps.Clone(o.Volumes)
		set(&o.Volumes, s.ID, VolumeEmpty)
	case Start, Restart:
		o.Services = maps.Clone(o.Services)
		set(&o.Services, s.ID, ServiceState{Running: true, Process: s.Effect.Service.Process()})
	case Stop:
		o.Services = maps.Clone(o.Services)
		set(&o.Services, s.ID, ServiceState{})
	case Run, Conclude:
		o.Facts = maps.Clone(o.Facts)
		for probe, value := range s.Effect.Task.Yields {
			set(&o.Facts, probe, Fact{Value: value})
		}
		if s.Effect.Task.Scope == ApplicationScope {
			o.Live.Receipts = append(o.Live.Receipts[:len(o.Live.Receipts):len(o.Live.Receipts)],
				Receipt{Task: string(s.ID), Key: s.Effect.Task.Key, Unit: o.Spec.Unit, Token: o.Live.Token, State: ClaimDone})
		}
	case Remove:
		o = expectRemoved(o, s)
	case Publish, Propose, Mint:
		o = expectCommitted(o, s)
	}
	return o
}

// anyVersion stands for a version that only the package manager knows.
const anyVersion = "installed"

func expectInstalled(o Observed, e Effect) Observed {
	if e.Software != nil {
		o.Software = maps.Clone(o.Software)
		set(&o.Software, e.Software.Directory(), true)
		return o
	}
	o.Packages = maps.Clone(o.Packages)
	set(&o.Packages, e.Package.Name, expectedVersion(o, *e.Package))
	return o
}

func expectedVersion(o Observed, p Package) string {
	if p.Version == "" && o.Packages[p.Name] != "" {
		return o.Packages[p.Name]
	}
	if p.Version == "" {
		return anyVersion
	}
	return p.Version
}

func expectRemoved(o Observed, s Step) Observed {
	switch s.Effect.kind() {
	case packageKind:
		o.Packages = maps.Clone(o.Packages)
		delete(o.Packages, s.Effect.Package.Name)
	case softwareKind:
		o.Software = maps.Clone(o.Software)
		delete(o.Software, s.Effect.Software.Directory())
	case serviceKind:
		o.Services = maps.Clone(o.Services)
		delete(o.Services, s.ID)
	}
	return o
}

func expectCommitted(o Observed, s Step) Observed {
	switch s.Kind {
	case Publish:
		o.Live.Own = published(o.Live.Own, *s.Effect.Bag)
	case Propose:
		o.Spec.Records = append(o.Spec.Records[:len(o.Spec.Records):len(o.Spec.Records)], *s.Effect.Record)
	case Mint:
		made := Secret{
			ID: string(s.ID), Name: s.Effect.Secret.Name, Scope: s.Effect.Secret.Scope,
			Owner: o.Spec.Unit.Application, Revision: 1, Fields: sortedKeys(s.Effect.Secret.Fields),
		}
		if made.Scope == UnitScope {
			made.Unit = o.Spec.Unit
		}
		o.Spec.Secrets = append(o.Spec.Secrets[:len(o.Spec.Secrets):len(o.Spec.Secrets)], made)
	}
	return o
}

func set[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}
