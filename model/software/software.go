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

// Content identifies what unpacking comes to; where it comes from does not.
func (a *Archive) Content() string {
	if a == nil {
		return ""
	}
	return fmt.Sprint(a.SHA512, a.SHA256, a.Strip)
}

// Resource is a file that an operator attached to an application.
type Resource struct {
	Name   string `json:"name"` // as the charm declares it
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"` // bytes
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
	case (a.URL == "") == (a.Resource == ""):
		return "its archive has either a URL or the name of an attached file"
	case a.Strip < 0:
		return fmt.Sprintf("its archive strips %d parts of paths", a.Strip)
	case a.URL != "" && !strings.HasPrefix(a.URL, "https://"):
		return fmt.Sprintf("its archive is at %q: expected an https URL", a.URL)
	case a.URL != "" && !sha512Hex.MatchString(a.SHA512):
		return fmt.Sprintf("its archive has sha512 %q: expected 128 hex digits", a.SHA512)
	case a.Resource != "" && !sha256Hex.MatchString(a.SHA256):
		return fmt.Sprintf("its attached file %q has sha256 %q: take it from Spec.Resources", a.Resource, a.SHA256)
	default:
		return ""
	}
}
