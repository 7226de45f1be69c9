package charm

import (
	"maps"
	"slices"
)

// Settings are configuration values by the name of their option. JSON writes
// them in the order of the names; so does Names.
type Settings map[string]Value

// Names returns the names in order.
func (s Settings) Names() []string { return slices.Sorted(maps.Keys(s)) }

// Equal reports whether both hold the same values of the same types.
func (s Settings) Equal(other Settings) bool { return maps.Equal(s, other) }
