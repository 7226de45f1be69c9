package sdk

import (
	"fmt"
	"path"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Builder collects a Desired. Each method that adds an effect returns its ID,
// to be named in After, Uses, RestartOn and ReloadOn: what is named exists.
// The zero Builder is empty and ready.
type Builder struct{ want effect.Desired }

// Package wants a package of the distribution, in the version that the
// application's units share. Its ID is "package/NAME".
func (b *Builder) Package(name string) effect.ID {
	id := effect.ID("package/" + name)
	b.want.Packages = append(b.want.Packages, effect.Package{ID: id, Name: name})
	return id
}

// Software wants files that no package has, as Lock reads them. ID is by
// default "software/NAME"; SoftwareDir says where they are.
func (b *Builder) Software(s effect.Software) effect.ID {
	if s.ID == "" {
		s.ID = effect.ID("software/" + s.Name)
	}
	b.want.Software = append(b.want.Software, s)
	return s.ID
}

// File wants a file. ID is by default "file/" and the name in the path, Mode
// 0644.
func (b *Builder) File(f effect.File) effect.ID {
	f.Dir = false
	return b.file(f, "file/", 0o644)
}

// Dir wants a directory. ID is by default "dir/" and the name in the path,
// Mode 0755.
func (b *Builder) Dir(f effect.File) effect.ID {
	f.Dir = true
	return b.file(f, "dir/", 0o755)
}

func (b *Builder) file(f effect.File, prefix effect.ID, mode uint32) effect.ID {
	if f.ID == "" {
		f.ID = prefix + effect.ID(path.Base(f.Path))
	}
	if f.Mode == 0 {
		f.Mode = mode
	}
	b.want.Files = append(b.want.Files, f)
	return f.ID
}

// Volume wants a data directory. Mode is 0700 by default.
func (b *Builder) Volume(v effect.Volume) effect.ID {
	if v.Mode == 0 {
		v.Mode = 0o700
	}
	b.want.Volumes = append(b.want.Volumes, v)
	return v.ID
}

// Service wants a process.
func (b *Builder) Service(s effect.Service) effect.ID {
	b.want.Services = append(b.want.Services, s)
	return s.ID
}

// Task wants a run of a command or call, once for its key. Scope is Unit by
// default.
func (b *Builder) Task(t effect.Task) effect.ID {
	if t.Scope == "" {
		t.Scope = effect.UnitScope
	}
	b.want.Tasks = append(b.want.Tasks, t)
	return t.ID
}

// Probe wants something observed; the fact has the probe's ID.
func (b *Builder) Probe(p effect.Probe) effect.ProbeID {
	b.want.Probes = append(b.want.Probes, p)
	return p.ID
}

// Publish writes the unit's bag in a relation, whole, once the named effects
// are done.
func (b *Builder) Publish(relation model.RelationID, data map[string]string, after ...effect.ID) {
	b.want.Bags = append(b.want.Bags, effect.Bag{Relation: relation, Data: data, After: after})
}

// PublishApplication writes the application's bag in a relation, whole. It
// counts only from the leader.
func (b *Builder) PublishApplication(relation model.RelationID, data map[string]string, after ...effect.ID) {
	b.want.Bags = append(b.want.Bags, effect.Bag{Relation: relation, Application: true, Data: data, After: after})
}

// Record proposes a value that is written once; the first commit wins, and
// RecordOf then has it.
func (b *Builder) Record(scope effect.Scope, name, value string) {
	b.want.Records = append(b.want.Records, effect.Record{Name: name, Scope: scope, Value: value})
}

// Secret asks for a secret; SecretNamed then has its handle.
func (b *Builder) Secret(s effect.SecretSpec) { b.want.Secrets = append(b.want.Secrets, s) }

// Hold refuses to let a unit leave yet.
func (b *Builder) Hold(unit model.UnitName, format string, args ...any) {
	b.want.Holds = append(b.want.Holds, effect.Hold{Subject: unit, Reason: fmt.Sprintf(format, args...)})
}

// Port says that the unit serves on a TCP port.
func (b *Builder) Port(number int) {
	b.want.Ports = append(b.want.Ports, effect.Port{Number: number, Protocol: "tcp"})
}

// Version is the workload's own, for status.
func (b *Builder) Version(v string) { b.want.Version = v }

// Reached says which stage of the open order the unit has carried out.
func (b *Builder) Reached(stage string) { b.want.Reached = stage }

// Partial says why the rest is not known yet: what was wanted before stays.
func (b *Builder) Partial(format string, args ...any) { b.want.Partial = fmt.Sprintf(format, args...) }

// Revisit asks for another Reconcile at t though nothing changed; the earliest
// of several counts.
func (b *Builder) Revisit(t time.Time) {
	if b.want.Revisit.IsZero() || t.Before(b.want.Revisit) {
		b.want.Revisit = t
	}
}

// Done is what was collected, under a status.
func (b *Builder) Done(s model.Status) effect.Desired {
	b.want.Status = s
	return b.want
}
