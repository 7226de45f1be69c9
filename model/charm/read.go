package charm

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// The files that a charm's directory may hold.
const (
	GantryFile     = "charm.yaml"
	MetadataFile   = "metadata.yaml"
	CharmcraftFile = "charmcraft.yaml"
	ConfigFile     = "config.yaml"
	ActionsFile    = "actions.yaml"
)

// Parse reads a charm.yaml. Unknown keys are mistakes. The error joins every
// mistake of the file, in the order of their positions.
func Parse(file string, data []byte) (*Charm, error) {
	return parseUnified(file, data, true)
}

// ParseWith is Parse for a charm whose other files there are: it reads the
// locks that charm.yaml names. The error of a file that read cannot give is
// the caller's own.
func ParseWith(file string, data []byte, read func(name string) ([]byte, bool)) (*Charm, error) {
	c, err := Parse(file, data)
	if err != nil {
		return nil, err
	}
	var errs []error
	for i, l := range c.Software {
		text, ok := read(l.file)
		if !ok {
			errs = append(errs, fmt.Errorf("%s: software %q: the charm has no such file: %w", file, l.file, model.ErrInvalid))
			continue
		}
		lock, err := ParseLock(path.Join(path.Dir(file), l.file), text)
		errs = append(errs, err)
		c.Software[i] = lock
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, nil
}

// ParseCharmcraft reads Juju's unified form. As Juju does, it leaves keys that
// it does not know to other tools.
func ParseCharmcraft(file string, data []byte) (*Charm, error) {
	return parseUnified(file, data, false)
}

// ParseMetadata reads Juju's metadata.yaml.
func ParseMetadata(file string, data []byte) (Meta, error) {
	root, err := only(file, data)
	if err != nil {
		return Meta{}, err
	}
	r := reader{}
	meta := r.meta(root, document.Fields{})
	return meta, r.Err()
}

// ParseConfig reads Juju's config.yaml.
func ParseConfig(file string, data []byte) (Config, error) {
	root, err := only(file, data)
	if err != nil {
		return Config{}, err
	}
	r := reader{}
	if root.Field("options") == nil {
		r.Errorf(root, `expected the key "options", found none`)
	}
	config := r.config(root)
	return config, r.Err()
}

// ParseActions reads the actions.yaml of the charm of that name.
func ParseActions(charm model.CharmName, file string, data []byte) ([]Action, error) {
	root, err := only(file, data)
	if err != nil {
		return nil, err
	}
	r := reader{charm: string(charm)}
	actions := r.actions(root)
	return actions, r.Err()
}

// Read reads the charm in a directory: charm.yaml where there is one, else
// Juju's metadata.yaml with config.yaml and actions.yaml, else charmcraft.yaml,
// which also gives the parts that a metadata.yaml leaves to it. Positions
// begin with dir.
func Read(dir string, files fs.FS) (*Charm, error) {
	d := directory{dir: dir, files: files}
	if data, ok := d.read(GantryFile); ok {
		c, err := ParseWith(d.path(GantryFile), data, d.read)
		return c, errors.Join(d.err, err)
	}
	craft := &Charm{}
	data, crafted := d.read(CharmcraftFile)
	metadata, described := d.read(MetadataFile)
	switch {
	case d.err != nil:
		return nil, d.err
	case !crafted && !described:
		return nil, fmt.Errorf("charm in %q: expected %s, %s or %s, found none: %w",
			dir, GantryFile, MetadataFile, CharmcraftFile, model.ErrNotFound)
	case crafted && !described:
		return ParseCharmcraft(d.path(CharmcraftFile), data)
	case crafted:
		craft = d.buildPart(data)
	}
	return d.split(craft, metadata)
}

// directory reads the files of a charm and keeps the first failure to read.
type directory struct {
	dir   string
	files fs.FS
	err   error
}

func (d *directory) path(name string) string { return path.Join(d.dir, name) }

func (d *directory) read(name string) ([]byte, bool) {
	data, err := fs.ReadFile(d.files, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && d.err == nil {
		d.err = fmt.Errorf("read %s: %w", d.path(name), err)
	}
	return data, err == nil
}

// buildPart takes from a charmcraft.yaml beside a metadata.yaml what the
// latter cannot say: bases, configuration and actions.
func (d *directory) buildPart(data []byte) *Charm {
	root, err := only(d.path(CharmcraftFile), data)
	if err != nil {
		d.err = err
		return &Charm{}
	}
	c := &Charm{}
	r := reader{}
	c.Meta.Bases = r.bases(root)
	c.Config = r.config(root.Field("config"))
	c.Actions = r.actions(root.Field("actions"))
	d.err = r.Err()
	return c
}

// split reads Juju's three files over what a charmcraft.yaml gave.
func (d *directory) split(c *Charm, metadata []byte) (*Charm, error) {
	errs := []error{d.err}
	meta, err := ParseMetadata(d.path(MetadataFile), metadata)
	errs = append(errs, err)
	meta.Bases = append(meta.Bases, c.Meta.Bases...)
	c.Meta = meta
	if data, ok := d.read(ConfigFile); ok {
		c.Config, err = ParseConfig(d.path(ConfigFile), data)
		errs = append(errs, err)
	}
	if data, ok := d.read(ActionsFile); ok {
		c.Actions, err = ParseActions(meta.Name, d.path(ActionsFile), data)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return c, d.err
}

// reader reads the parts of a charm. Strict means charm.yaml: unknown keys are
// mistakes and Gantry's additions are known.
type reader struct {
	document.Reader
	strict bool
	charm  string // the charm's name, which says what names are reserved
}

func (r *reader) object(n *document.Node, what string, fields document.Fields) {
	if r.strict {
		r.Object(n, what, fields)
		return
	}
	r.Open(n, what, fields, document.Tolerate)
}

func parseUnified(file string, data []byte, strict bool) (*Charm, error) {
	root, err := only(file, data)
	if err != nil {
		return nil, err
	}
	r := reader{strict: strict, charm: nameIn(root)}
	if strict {
		r.Unrepeated(root)
	}
	c := &Charm{}
	extra := document.Fields{
		"config":  func(n *document.Node) { c.Config = r.config(n) },
		"actions": func(n *document.Node) { c.Actions = r.actions(n) },
	}
	if strict {
		extra["orders"] = func(n *document.Node) { c.Orders = r.orders(n) }
		extra["packages"] = func(n *document.Node) { c.Packages = r.packages(n) }
		extra["software"] = func(n *document.Node) { c.Software = r.software(n) }
	}
	c.Meta = r.meta(root, extra)
	if strict {
		r.checkOrders(root, c)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// only returns the one document of a file.
func only(file string, data []byte) (*document.Node, error) {
	documents, err := document.Parse(file, data)
	if err != nil {
		return nil, err
	}
	if len(documents) == 0 || documents[0].IsNull() {
		return nil, model.At(model.Position{File: file, Line: 1, Column: 1}, errors.New("expected a map, found an empty file"))
	}
	if len(documents) > 1 {
		return nil, model.At(documents[1].Pos, errors.New("expected one document, found another"))
	}
	if documents[0].Kind != document.Map {
		return nil, model.At(documents[0].Pos, fmt.Errorf("expected a map, found %v", documents[0]))
	}
	return documents[0], nil
}

func nameIn(root *document.Node) string {
	if n := root.Field("name"); !n.IsNull() {
		return n.Value
	}
	return ""
}
