// Package metrics is what a controller counts of itself, of the agents that
// report to it and of what it found, by names that docs/observability.md lists.
package metrics
