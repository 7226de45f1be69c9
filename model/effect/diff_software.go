package effect

import (
	"fmt"
	"regexp"
	"strings"
)

// software fetches what is not there. A new content gets a directory of its
// own; the former one goes once nothing rests on it.
func (d *differ) software(s Software) {
	e := Effect{Software: &s}
	was, ours := d.was.byID[s.ID]
	why := ""
	switch {
	case !d.seen.Software[s.Directory()] && ours && was.Effect.Hash() == e.Hash():
		why = "it is missing"
	case !d.seen.Software[s.Directory()]:
		why = "not on the machine"
	case !ours || was.Effect.Hash() != e.Hash():
		why = "not counted for this unit yet"
	default:
		d.keep(e)
		return
	}
	d.add(Step{Kind: Fetch, ID: s.ID, Effect: e, Why: why})
}

// Patterns of what becomes part of a path on the machine.
var (
	plainName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	coordinates = regexp.MustCompile(`^[A-Za-z0-9_.-]+(:[A-Za-z0-9][A-Za-z0-9._+-]*){2,3}$`)
	sha256Hex   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sha512Hex   = regexp.MustCompile(`^[0-9a-f]{128}$`)
)

// fault says why no agent could fetch the software; "" where one could.
func (s Software) fault() string {
	switch {
	case !plainName.MatchString(s.Name) || !plainName.MatchString(s.Version):
		return fmt.Sprintf("name %q and version %q: expected letters, digits, dots, dashes and underscores", s.Name, s.Version)
	case (len(s.Jars) == 0) == (s.Archive == nil):
		return "it is either jars or an archive"
	case s.Archive != nil:
		return s.Archive.fault()
	}
	files := map[string]bool{}
	for _, j := range s.Jars {
		switch {
		case !coordinates.MatchString(j.Coordinates):
			return fmt.Sprintf("jar %q: expected group:artifact:version or group:artifact:version:classifier", j.Coordinates)
		case !sha256Hex.MatchString(j.SHA256):
			return fmt.Sprintf("jar %s: sha256 %q: expected 64 hex digits", j.Coordinates, j.SHA256)
		case files[j.File()]:
			return fmt.Sprintf("jar %s: another has its file name %s", j.Coordinates, j.File())
		}
		files[j.File()] = true
	}
	return ""
}

func (a Archive) fault() string {
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
