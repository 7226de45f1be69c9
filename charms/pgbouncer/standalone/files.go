// Package standalone holds the metadata of pgbouncer-standalone: the same charm
// as pgbouncer on machines of its own, for clients that bear no pool beside
// them. What a subordinate is, is said in metadata, so that one name cannot be
// both.
package standalone

import "embed"

// Files holds the charm's metadata.
//
//go:embed charm.yaml
var Files embed.FS
