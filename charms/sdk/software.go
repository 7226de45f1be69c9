package sdk

import (
	"fmt"
	"path"

	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Lock is the software of a lock file, for Builder.Software. `gantry charm
// lock` makes one; mistakes are told by line.
func Lock(data []byte) (effect.Software, error) {
	l, err := charm.ParseLock("lock", data)
	if err != nil {
		return effect.Software{}, fmt.Errorf("read a lock of software: %w", err)
	}
	return effect.Software{Name: l.Name, Version: l.Version, Jars: l.Jars}, nil
}

// MustLock is Lock for a file that is embedded in the charm: it panics on a
// mistake.
func MustLock(data []byte) effect.Software {
	s, err := Lock(data)
	if err != nil {
		panic(err)
	}
	return s
}

// SoftwareDir is where software is once it is fetched: jars in libs below it,
// an archive's content in it. Another content is in another directory, so a
// command with this path in it runs anew when the software changes.
func SoftwareDir(in effect.Input, s effect.Software) string {
	return path.Join(in.Host.Software, s.Directory())
}
