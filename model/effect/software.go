package effect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"

	"github.com/gantry-orchestrator/gantry/model/software"
)

// Software is a directory of files that no package of the distribution has:
// fetched, verified against hashes, and put read-only under a directory of the
// machine that its content names, once for all units of the machine.
type Software struct {
	ID      ID                `json:"id"`                // e.g. "software/kafka"
	Name    string            `json:"name"`              // e.g. "kafka"
	Version string            `json:"version"`           // for people
	Jars    []software.Jar    `json:"jars,omitempty"`    // they lie in libs, or
	Archive *software.Archive `json:"archive,omitempty"` // what is unpacked
	After   []ID              `json:"after,omitempty"`
}

// Directory is the name of the directory below the machine's root of software:
// one content has one directory, whoever wants it.
func (s Software) Directory() string {
	jars := make([]software.Jar, len(s.Jars))
	for i, j := range s.Jars {
		jars[i] = software.Jar{Coordinates: j.Coordinates, SHA256: j.SHA256}
	}
	content := hashOf(struct {
		Jars    []software.Jar
		Archive string
	}{jars, s.Archive.Content()})
	sum := sha256.Sum256([]byte(content))
	return s.Name + "-" + s.Version + "-" + hex.EncodeToString(sum[:6])
}

// Size is that of all files, and false where one of them is not known.
func (s Software) Size() (bytes int64, known bool) {
	if s.Archive != nil {
		return s.Archive.Size, s.Archive.Size > 0
	}
	for _, j := range s.Jars {
		if j.Size <= 0 {
			return 0, false
		}
		bytes += j.Size
	}
	return bytes, true
}

// String is for people, e.g. "kafka 4.1.0, 42 files, 118 MiB".
func (s Software) String() string {
	text := s.Name + " " + s.Version
	switch {
	case s.Archive != nil:
		text += ", " + path.Base(s.Archive.URL)
	case len(s.Jars) == 1:
		text += ", 1 file"
	default:
		text += fmt.Sprintf(", %d files", len(s.Jars))
	}
	if size, known := s.Size(); known {
		text += fmt.Sprintf(", %d MiB", (size+1<<20-1)>>20)
	}
	return text
}
