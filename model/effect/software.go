package effect

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
)

// Software is a directory of files that no package of the distribution has:
// fetched, verified against hashes, and put read-only under a directory of the
// machine that its content names, once for all units of the machine.
type Software struct {
	ID      ID       `json:"id"`                // e.g. "software/kafka"
	Name    string   `json:"name"`              // e.g. "kafka"
	Version string   `json:"version"`           // for people
	Jars    []Jar    `json:"jars,omitempty"`    // they lie in libs, or
	Archive *Archive `json:"archive,omitempty"` // what is unpacked
	After   []ID     `json:"after,omitempty"`
}

// Jar is one file of a Maven repository.
type Jar struct {
	Coordinates string `json:"coordinates"` // group:artifact:version[:classifier]
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size,omitempty"` // bytes, where known
}

// Archive is a tar file, gzipped or plain: behind an https URL with its
// SHA512, or attached by an operator to the application.
type Archive struct {
	URL      string `json:"url,omitempty"`
	SHA512   string `json:"sha512,omitempty"`
	Resource string `json:"resource,omitempty"` // name of the attached file
	SHA256   string `json:"sha256,omitempty"`   // of the attached file
	Size     int64  `json:"size,omitempty"`     // bytes, where known
	Strip    int    `json:"strip,omitempty"`    // leading parts of the paths in it that are dropped
}

// Libs is where jars lie in a software's directory.
const Libs = "libs"

// File is the name of the jar's file, as Maven has it.
func (j Jar) File() string {
	parts := strings.Split(j.Coordinates, ":")
	if len(parts) < 3 {
		return ""
	}
	return strings.Join(parts[1:], "-") + ".jar"
}

// Directory is the name of the directory below the machine's root of software:
// one content has one directory, whoever wants it.
func (s Software) Directory() string {
	jars := make([]Jar, len(s.Jars))
	for i, j := range s.Jars {
		jars[i] = Jar{Coordinates: j.Coordinates, SHA256: j.SHA256}
	}
	content := hashOf(struct {
		Jars    []Jar
		Archive string
	}{jars, s.Archive.content()})
	sum := sha256.Sum256([]byte(content))
	return s.Name + "-" + s.Version + "-" + hex.EncodeToString(sum[:6])
}

// content identifies what unpacking comes to; where it comes from does not.
func (a *Archive) content() string {
	if a == nil {
		return ""
	}
	return fmt.Sprint(a.SHA512, a.SHA256, a.Strip)
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
	case s.Archive != nil && s.Archive.Resource != "":
		text += ", attached as " + s.Archive.Resource
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
