package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/gantry-orchestrator/gantry/model"
)

// Content is a part with what writes its bytes.
type Content struct {
	Part
	Write func(io.Writer) error
}

// Bytes is a part of which all is in memory.
func Bytes(name string, b []byte) Content {
	sum := sha256.Sum256(b)
	return Content{
		Part:  Part{Name: name, Size: int64(len(b)), SHA256: hex.EncodeToString(sum[:])},
		Write: func(w io.Writer) error { _, err := w.Write(b); return err },
	}
}

// Written is an archive that is known to be whole.
type Written struct {
	Manifest Manifest
	Size     int64
	SHA256   string // of the whole file, hex
}

// Write writes an archive. The parts are in the order of the format.
func Write(to io.Writer, m Manifest, parts []Content) (Written, error) {
	m.Format = Format
	for _, p := range parts {
		m.Parts = append(m.Parts, p.Part)
	}
	if err := m.check(); err != nil {
		return Written{}, err
	}
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return Written{}, fmt.Errorf("write the manifest: %w", err)
	}
	if len(text) > maxManifest {
		return Written{}, fmt.Errorf("a manifest of %d MiB is over %d: %w", len(text)>>20, maxManifest>>20, model.ErrInvalid)
	}
	w := &writer{to: to, whole: sha256.New()}
	for _, p := range append([]Content{Bytes(manifestPart, text)}, parts...) {
		if err := w.part(p.Part, p.Write); err != nil {
			return Written{}, err
		}
	}
	mine := sha256.Sum256(text)
	end, err := sums(mine[:], w.whole.Sum(nil))
	if err != nil {
		return Written{}, err
	}
	if _, err := w.Write(end); err != nil {
		return Written{}, fmt.Errorf("write the checksums: %w", err)
	}
	return Written{Manifest: m, Size: w.size, SHA256: hex.EncodeToString(w.whole.Sum(nil))}, nil
}
