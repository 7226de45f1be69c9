package effect

import (
	"fmt"
	"regexp"
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
	d.add(Step{Kind: Install, ID: s.ID, Effect: e, Why: why})
}

// plainName is what becomes part of a path on the machine.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)

// fault says why no agent could fetch the software; "" where one could.
func (s Software) fault() string {
	switch {
	case !plainName.MatchString(s.Name) || !plainName.MatchString(s.Version):
		return fmt.Sprintf("name %q and version %q: expected letters, digits, dots, dashes and underscores", s.Name, s.Version)
	case (len(s.Jars) == 0) == (s.Archive == nil):
		return "it is either jars or an archive"
	case s.Archive != nil:
		return s.Archive.Fault()
	}
	files := map[string]bool{}
	for _, j := range s.Jars {
		if fault := j.Fault(); fault != "" {
			return fault
		}
		if files[j.File()] {
			return fmt.Sprintf("jar %s: another has its file name %s", j.Coordinates, j.File())
		}
		files[j.File()] = true
	}
	return ""
}
