// Package artifact keeps charms: those built in, and uploaded archives under
// their hash. An archive is a zip with the charm's metadata and its program; it
// is checked whole before it is kept, and never unpacked here.
package artifact
