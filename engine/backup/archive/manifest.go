package archive

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Format is the version of archives that this build writes and reads.
const Format = 1

// The names of an archive's parts, in their order; charms follow, and the
// checksums are the last.
const (
	manifestPart = "manifest.json"
	State        = "state.cbor" // the encoded state
	CA           = "ca.crt"     // the authority's certificate
	Keys         = "keys.tar"   // the private files
	SealedKeys   = "keys.tar.age"
	CharmFolder  = "charms/" // an uploaded charm each, named by its SHA-256
	CharmSuffix  = ".charm"
	sumPart      = "sha256.txt"
)

// Manifest is the first part of an archive and says what the others are.
type Manifest struct {
	Format     int         `json:"format"`
	Gantry     string      `json:"gantry"` // version that wrote it
	Level      int         `json:"level"`  // of features that are active in the state
	Time       time.Time   `json:"time"`
	Controller string      `json:"controller"` // ID of the one that wrote it
	Epoch      model.Epoch `json:"epoch,omitzero"`
	Index      uint64      `json:"index"`
	Revision   uint64      `json:"revision"`
	Sealed     bool        `json:"sealed"`      // the keys are encrypted
	SecretsKey string      `json:"secrets_key"` // SHA-256 of the key that opens secrets, hex
	Models     []ModelSum  `json:"models,omitempty"`
	Parts      []Part      `json:"parts"` // but the manifest and the checksums
}

// ModelSum identifies one model of the state: see state.State.ModelDigest.
type ModelSum struct {
	Name     model.ModelName `json:"name"`
	Revision uint64          `json:"revision"`
	SHA256   string          `json:"sha256"`
}

// Part is one file of the archive.
type Part struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // hex
}

// Part returns the part of a name; the zero value where there is none.
func (m Manifest) Part(name string) Part {
	i := slices.IndexFunc(m.Parts, func(p Part) bool { return p.Name == name })
	if i < 0 {
		return Part{}
	}
	return m.Parts[i]
}

// KeysPart is the name of the part that holds the keys.
func (m Manifest) KeysPart() string {
	if m.Sealed {
		return SealedKeys
	}
	return Keys
}

// check refuses what this build cannot read.
func (m Manifest) check() error {
	if m.Format != Format {
		return fmt.Errorf("the archive has format %d, written by gantry %s, and this gantry reads %d: use that version: %w", m.Format, m.Gantry, Format, model.ErrUnavailable)
	}
	fixed := []string{State, CA, m.KeysPart()}
	if len(m.Parts) < len(fixed) {
		return Damaged(manifestPart, "it names %d parts", len(m.Parts))
	}
	for i, name := range fixed {
		if m.Parts[i].Name != name {
			return Damaged(manifestPart, "part %d is %s, expected %s", i+1, m.Parts[i].Name, name)
		}
	}
	for _, p := range m.Parts[len(fixed):] {
		if p.Name != CharmFolder+p.SHA256+CharmSuffix || len(p.SHA256) != sumText {
			return Damaged(manifestPart, "part %q is unknown", p.Name)
		}
	}
	return nil
}

// Damaged is the alarm about a part whose bytes are not those that were
// written.
func Damaged(part, format string, args ...any) error {
	return fmt.Errorf("the archive is DAMAGED in part %s: %s: use another backup: %w", part, fmt.Sprintf(format, args...), model.ErrInvalid)
}
