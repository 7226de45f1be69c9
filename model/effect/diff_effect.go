package effect

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is what sort of thing an effect is.
type Kind string

// The kinds of effect that a host's journal knows, and those that are
// published to the controller.
const (
	PackageKind Kind = "package"
	FileKind    Kind = "file"
	VolumeKind  Kind = "volume"
	ServiceKind Kind = "service"
	TaskKind    Kind = "task"
	BagKind     Kind = "bag"
	RecordKind  Kind = "record"
	SecretKind  Kind = "secret"
)

// Effect is one thing that there should be: exactly one of the fields.
type Effect struct {
	Package *Package    `json:"package,omitempty"`
	File    *File       `json:"file,omitempty"`
	Volume  *Volume     `json:"volume,omitempty"`
	Service *Service    `json:"service,omitempty"`
	Task    *Task       `json:"task,omitempty"`
	Bag     *Bag        `json:"bag,omitempty"`
	Record  *Record     `json:"record,omitempty"`
	Secret  *SecretSpec `json:"secret,omitempty"`
}

// Kind says which field is set.
func (e Effect) Kind() Kind {
	switch {
	case e.Package != nil:
		return PackageKind
	case e.File != nil:
		return FileKind
	case e.Volume != nil:
		return VolumeKind
	case e.Service != nil:
		return ServiceKind
	case e.Task != nil:
		return TaskKind
	case e.Bag != nil:
		return BagKind
	case e.Record != nil:
		return RecordKind
	default:
		return SecretKind
	}
}

// ID is the effect's own, or for what is published one made of its subject.
func (e Effect) ID() ID {
	switch e.Kind() {
	case PackageKind:
		return e.Package.ID
	case FileKind:
		return e.File.ID
	case VolumeKind:
		return e.Volume.ID
	case ServiceKind:
		return e.Service.ID
	case TaskKind:
		return e.Task.ID
	case BagKind:
		return e.Bag.id()
	case RecordKind:
		return ID(fmt.Sprintf("record/%s/%s", e.Record.Scope, e.Record.Name))
	default:
		return ID(fmt.Sprintf("secret/%s/%s", e.Secret.Scope, e.Secret.Name))
	}
}

func (b Bag) id() ID {
	if b.Application {
		return ID(fmt.Sprintf("bag/%d/application", b.Relation))
	}
	return ID(fmt.Sprintf("bag/%d", b.Relation))
}

// Hash identifies what the effect comes to on the machine. What only orders
// it, or says how it is watched, is no part of it.
func (e Effect) Hash() string {
	switch e.Kind() {
	case PackageKind:
		return hashOf(Package{Name: e.Package.Name, Version: e.Package.Version})
	case FileKind:
		f := *e.File
		f.ID, f.After = "", nil
		return hashOf(f)
	case VolumeKind:
		v := *e.Volume
		v.ID, v.After = "", nil
		return hashOf(v)
	case TaskKind:
		return hashOf([]string{string(e.Task.Scope), string(e.Task.ID), e.Task.Key})
	default:
		return hashOf(e)
	}
}

// Process identifies the process that a service is: another hash means
// another process, so a restart. Everything else about a service can change
// while it runs.
func (s Service) Process() string {
	return hashOf(Service{Command: s.Command, Env: s.Env, Dir: s.Dir, User: s.User, Group: s.Group, Limits: s.Limits, Volume: s.Volume})
}

// needs are the IDs that the effect itself names as to be done before it.
func (e Effect) needs() []ID {
	switch e.Kind() {
	case FileKind:
		return e.File.After
	case VolumeKind:
		return e.Volume.After
	case ServiceKind:
		s := e.Service
		needs := slices.Concat(s.Uses, s.RestartOn, s.ReloadOn)
		if s.Volume != "" {
			needs = append(needs, s.Volume)
		}
		return needs
	case TaskKind:
		return e.Task.After
	case BagKind:
		return e.Bag.After
	default:
		return nil
	}
}

// place is the path that the effect occupies, or "".
func (e Effect) place() string {
	switch e.Kind() {
	case FileKind:
		return e.File.Path
	case VolumeKind:
		return e.Volume.Path
	default:
		return ""
	}
}

// holds reports whether another effect may lie in this one's directory.
func (e Effect) holds(other Effect) bool {
	if e.Kind() != VolumeKind && (e.Kind() != FileKind || !e.File.Dir) {
		return false
	}
	return strings.HasPrefix(other.place(), strings.TrimSuffix(e.place(), "/")+"/")
}

// Effects are the effects of a Desired that a host carries out, as listed.
func (d Desired) Effects() []Effect {
	var all []Effect
	for i := range d.Packages {
		all = append(all, Effect{Package: &d.Packages[i]})
	}
	for i := range d.Files {
		all = append(all, Effect{File: &d.Files[i]})
	}
	for i := range d.Volumes {
		all = append(all, Effect{Volume: &d.Volumes[i]})
	}
	for i := range d.Services {
		all = append(all, Effect{Service: &d.Services[i]})
	}
	for i := range d.Tasks {
		all = append(all, Effect{Task: &d.Tasks[i]})
	}
	return all
}
