package effect

import (
	"fmt"
	"slices"
	"strings"
)

// kind is what sort of thing an effect is.
type kind string

// The kinds of effect that a host's journal knows, and those that are
// published to the controller.
const (
	packageKind  kind = "package"
	softwareKind kind = "software"
	fileKind     kind = "file"
	volumeKind   kind = "volume"
	serviceKind  kind = "service"
	taskKind     kind = "task"
	bagKind      kind = "bag"
	recordKind   kind = "record"
	secretKind   kind = "secret"
)

// Effect is one thing that there should be: exactly one of the fields.
type Effect struct {
	Package  *Package    `json:"package,omitempty"`
	Software *Software   `json:"software,omitempty"`
	File     *File       `json:"file,omitempty"`
	Volume   *Volume     `json:"volume,omitempty"`
	Service  *Service    `json:"service,omitempty"`
	Task     *Task       `json:"task,omitempty"`
	Bag      *Bag        `json:"bag,omitempty"`
	Record   *Record     `json:"record,omitempty"`
	Secret   *SecretSpec `json:"secret,omitempty"`
}

// kind says which field is set.
func (e Effect) kind() kind {
	switch {
	case e.Package != nil:
		return packageKind
	case e.Software != nil:
		return softwareKind
	case e.File != nil:
		return fileKind
	case e.Volume != nil:
		return volumeKind
	case e.Service != nil:
		return serviceKind
	case e.Task != nil:
		return taskKind
	case e.Bag != nil:
		return bagKind
	case e.Record != nil:
		return recordKind
	default:
		return secretKind
	}
}

// ID is the effect's own, or for what is published one made of its subject.
func (e Effect) ID() ID {
	switch e.kind() {
	case packageKind:
		return e.Package.ID
	case softwareKind:
		return e.Software.ID
	case fileKind:
		return e.File.ID
	case volumeKind:
		return e.Volume.ID
	case serviceKind:
		return e.Service.ID
	case taskKind:
		return e.Task.ID
	case bagKind:
		return e.Bag.id()
	case recordKind:
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
	switch e.kind() {
	case packageKind:
		return hashOf(Package{Name: e.Package.Name, Version: e.Package.Version})
	case softwareKind:
		return hashOf(e.Software.Directory())
	case fileKind:
		f := *e.File
		f.ID, f.After = "", nil
		return hashOf(f)
	case volumeKind:
		v := *e.Volume
		v.ID, v.After = "", nil
		return hashOf(v)
	case taskKind:
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
	switch e.kind() {
	case softwareKind:
		return e.Software.After
	case fileKind:
		return e.File.After
	case volumeKind:
		return e.Volume.After
	case serviceKind:
		s := e.Service
		needs := slices.Concat(s.Uses, s.RestartOn, s.ReloadOn)
		if s.Volume != "" {
			needs = append(needs, s.Volume)
		}
		return needs
	case taskKind:
		return e.Task.After
	case bagKind:
		return e.Bag.After
	default:
		return nil
	}
}

// place is the path that the effect occupies, or "". A software's is relative
// to the machine's root of software.
func (e Effect) place() string {
	switch e.kind() {
	case softwareKind:
		return e.Software.Directory()
	case fileKind:
		return e.File.Path
	case volumeKind:
		return e.Volume.Path
	default:
		return ""
	}
}

// holds reports whether another effect may lie in this one's directory.
func (e Effect) holds(other Effect) bool {
	if e.kind() != volumeKind && (e.kind() != fileKind || !e.File.Dir) {
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
	for i := range d.Software {
		all = append(all, Effect{Software: &d.Software[i]})
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
