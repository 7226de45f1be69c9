package bundle

import (
	"errors"
	"io/fs"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm/document"
)

// Parse reads a bundle: the first document of the file, with the further ones
// laid over it. Files that options include are read from dir; with a nil dir
// an include is a mistake. The error joins every mistake of the file. Whether
// what the bundle names is also there is for Validate, once all overlays are on.
func Parse(file string, data []byte, dir fs.FS) (*Bundle, []Warning, error) {
	documents, err := document.Parse(file, data)
	if err != nil {
		return nil, nil, err
	}
	if len(documents) == 0 || documents[0].IsNull() {
		return nil, nil, model.At(model.Position{File: file, Line: 1, Column: 1}, errors.New("expected a bundle, found an empty file"))
	}
	base, overlays := documents[0], documents[1:]
	d := decoder{dir: dir, kubernetes: isKubernetes(base)}
	merged := d.part(base, false)
	for _, overlay := range overlays {
		merged = merge(merged, d.part(overlay, true))
	}
	return d.whole(merged)
}

// Overlay returns the bundle with the documents of an overlay file laid over
// it by Juju's rules: what an overlay says replaces what was said; an empty
// application is removed with its relations; relations are added.
func (b *Bundle) Overlay(file string, data []byte, dir fs.FS) (*Bundle, []Warning, error) {
	overlays, err := document.Parse(file, data)
	if err != nil {
		return nil, nil, err
	}
	merged, err := b.tree()
	if err != nil {
		return nil, nil, err
	}
	d := decoder{dir: dir, kubernetes: b.Type == Kubernetes}
	for _, overlay := range overlays {
		merged = merge(merged, d.part(overlay, true))
	}
	return d.whole(merged)
}

// tree returns what the bundle was read from, or what it would be.
func (b *Bundle) tree() (*document.Node, error) {
	if b.root != nil {
		return b.root, nil
	}
	documents, err := document.Parse("", Encode(b))
	if err != nil {
		return nil, err
	}
	merged := documents[0]
	for _, overlay := range documents[1:] {
		merged = merge(merged, overlay)
	}
	return merged, nil
}

func isKubernetes(root *document.Node) bool {
	kind := root.Field("bundle")
	return !kind.IsNull() && kind.Value == Kubernetes
}

// decoder turns documents into a Bundle and collects mistakes and warnings.
type decoder struct {
	document.Reader
	dir        fs.FS
	kubernetes bool
	warnings   []Warning
}

// part checks one document as it was written, so that what an overlay
// replaces is correct too, and resolves its includes.
func (d *decoder) part(n *document.Node, overlay bool) *document.Node {
	d.Unrepeated(n)
	if !overlay {
		d.refuseOverlayKeys(n)
	}
	resolved := d.includes(n)
	d.bundle(resolved)
	return resolved
}

// whole decodes the merged document. Its parts were found correct, so that
// only their combination can still be wrong; their warnings are known.
func (d *decoder) whole(merged *document.Node) (*Bundle, []Warning, error) {
	if err := d.Err(); err != nil {
		return nil, d.warnings, err
	}
	again := decoder{kubernetes: d.kubernetes}
	b := again.bundle(merged)
	b.root = merged
	if err := again.Err(); err != nil {
		return nil, d.warnings, err
	}
	return b, d.warnings, nil
}

// refuseOverlayKeys reports keys that belong to one model and so may stand in
// overlays only, and applications without a body.
func (d *decoder) refuseOverlayKeys(n *document.Node) {
	applications := n.Field("applications")
	if applications.IsNull() || applications.Kind != document.Map {
		return
	}
	for _, application := range applications.Fields {
		if application.Value.IsNull() {
			d.Errorf(application.Key, "application %q: expected at least a charm, found nothing", application.Key.Value)
			continue
		}
		for _, f := range application.Value.Fields {
			if (f.Key.Value == "offers" || f.Key.Value == "exposed-endpoints") && !f.Value.IsNull() {
				d.Errorf(f.Key, "application %q: %s may stand in an overlay only; move it behind a line of ---",
					application.Key.Value, f.Key.Value)
			}
		}
	}
}
