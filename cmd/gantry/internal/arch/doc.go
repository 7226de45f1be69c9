// Package arch holds the architecture tests: who may import whom, what pure
// packages may not do, and the budgets of docs/ARCHITECTURE.md. It parses the
// sources in the test's own process, so that the test cache sees every change.
package arch
