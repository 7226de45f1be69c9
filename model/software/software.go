// Package software holds the words for files that no package of a distribution
// has: what is fetched, and the hashes that it must have.
package software

import (
	"fmt"
	"regexp"
	"strings"
)

// Jar is one file of a Maven repository.
type Jar struct {
	Coordinates string `json:"coordinates"` // group:artifact:version[:classifier]
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size,omitempty"` // bytes, where known
}

// Archive is a tar file, gzipped or plain, behind an https URL.
type Archive struct {
	URL    string `json:"url"`
	SHA512 string `json:"sha512"`
	Size   int64  `json:"size,omitempty"`  // bytes, where known
	Strip  int    `json:"strip,omitempty"` // leading parts of the paths in it that are dropped
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

// Content identifies what unpacking comes to; where it comes from does not.
func (a *Archive) Content() string {
	if a == nil {
		return ""
	}
	return fmt.Sprint(a.SHA512, "/", a.Strip)
}

// Patterns of what becomes part of a path on a machine.
var (
	coordinates = regexp.MustCompile(`^[A-Za-z0-9_.-]+(:[A-Za-z0-9][A-Za-z0-9._+-]*){2,3}$`)
	sha256Hex   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sha512Hex   = regexp.MustCompile(`^[0-9a-f]{128}$`)
)

// Fault says why nobody could fetch the jar; "" where one could.
func (j Jar) Fault() string {
	switch {
	case !coordinates.MatchString(j.Coordinates):
		return fmt.Sprintf("jar %q: expected group:artifact:version or group:artifact:version:classifier", j.Coordinates)
	case !sha256Hex.MatchString(j.SHA256):
		return fmt.Sprintf("jar %s: sha256 %q: expected 64 hex digits", j.Coordinates, j.SHA256)
	default:
		return ""
	}
}

// Fault says why nobody could fetch the archive; "" where one could.
func (a Archive) Fault() string {
	switch {
	case a.Strip < 0:
		return fmt.Sprintf("its archive strips %d parts of paths", a.Strip)
	case !strings.HasPrefix(a.URL, "https://"):
		return fmt.Sprintf("its archive is at %q: expected an https URL", a.URL)
	case !sha512Hex.MatchString(a.SHA512):
		return fmt.Sprintf("its archive has sha512 %q: expected 128 hex digits", a.SHA512)
	default:
		return ""
	}
}
