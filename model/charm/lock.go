package charm

import (
	"io/fs"
	"regexp"
	"strings"

	"github.com/gantry-orchestrator/gantry/model/charm/document"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// Lock is software from a Maven repository, each file with the hash that it
// must have. Charms carry it as a file, so that nothing is resolved when they
// are deployed.
type Lock struct {
	Name    string         `json:"name"`
	Version string         `json:"version"` // for people
	Jars    []software.Jar `json:"jars"`

	file string // of the charm, until it is read
}

var (
	lockName        = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
	lockCoordinates = regexp.MustCompile(`^[A-Za-z0-9_.-]+(:[A-Za-z0-9][A-Za-z0-9._+-]*){2,3}$`)
	lockHash        = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ParseLock reads a lock file. The error joins every mistake of it, in the
// order of their positions.
func ParseLock(file string, data []byte) (Lock, error) {
	root, err := only(file, data)
	if err != nil {
		return Lock{}, err
	}
	var l Lock
	r := lockReader{jars: map[string]bool{}}
	r.Unrepeated(root)
	r.Object(root, "a lock file", document.Fields{
		"name":    func(n *document.Node) { l.Name = r.match(n, lockName, "a name") },
		"version": func(n *document.Node) { l.Version = r.match(n, lockName, "a version") },
		"jars": func(n *document.Node) {
			for _, item := range r.Items(n, "jars") {
				l.Jars = append(l.Jars, r.jar(item))
			}
		},
	})
	for _, key := range []string{"name", "version", "jars"} {
		if root.Field(key) == nil {
			r.Errorf(root, "expected the key %q, found none", key)
		}
	}
	if root.Field("jars") != nil && len(l.Jars) == 0 {
		r.Errorf(root.Field("jars"), "expected at least one jar")
	}
	if err := r.Err(); err != nil {
		return Lock{}, err
	}
	return l, nil
}

// software are the locks that a charm.yaml names, still to be read.
func (r *reader) software(n *document.Node) []Lock {
	var locks []Lock
	for _, item := range r.Items(n, "software") {
		file := r.String(item, "a lock file's name")
		if !fs.ValidPath(file) || !strings.HasSuffix(file, ".yaml") {
			r.Errorf(item, "software %q: expected a lock file of the charm, such as kafka.lock.yaml", file)
			continue
		}
		locks = append(locks, Lock{file: file})
	}
	return locks
}

// lockReader reads a lock; jars are the coordinates that it has seen.
type lockReader struct {
	document.Reader
	jars map[string]bool
}

func (r *lockReader) jar(item *document.Node) software.Jar {
	var j software.Jar
	r.Object(item, "a jar", document.Fields{
		"coordinates": func(n *document.Node) {
			j.Coordinates = r.match(n, lockCoordinates, "group:artifact:version or group:artifact:version:classifier")
		},
		"sha256": func(n *document.Node) { j.SHA256 = r.match(n, lockHash, "64 lower case hex digits") },
		"size":   func(n *document.Node) { j.Size = int64(r.Int(n, "bytes")) },
	})
	for _, key := range []string{"coordinates", "sha256"} {
		if item.Field(key) == nil {
			r.Errorf(item, "jar: expected the key %q, found none", key)
		}
	}
	if j.Coordinates != "" && r.jars[j.Coordinates] {
		r.Errorf(item, "jar %s is listed twice; keep one", j.Coordinates)
	}
	r.jars[j.Coordinates] = true
	return j
}

func (r *lockReader) match(n *document.Node, pattern *regexp.Regexp, what string) string {
	text := r.Text(n, what)
	if n.Kind == document.Scalar && !pattern.MatchString(text) {
		r.Errorf(n, "expected %s, found %q", what, text)
		return ""
	}
	return text
}
