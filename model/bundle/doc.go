// Package bundle reads, checks, compares and writes Juju's bundles (format 4):
// applications, machines and the relations between them, with overlays. What
// Gantry does not carry out yet is read and kept, and Unsupported names it.
package bundle
