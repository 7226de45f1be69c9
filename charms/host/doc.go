// Package host is where an agent runs its charms' code. Reconcile is answered
// by one long-lived process a charm revision, which has no network, no files
// and no secrets; calls and actions run in processes of their own, as the user
// that they declare. InProcess does the same inside the caller's process, for
// tests and simulations.
package host
