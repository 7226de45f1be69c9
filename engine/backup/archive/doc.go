// Package archive reads and writes backups of a control plane as files.
// docs/backup.md documents the format: a tar file that common tools open, its
// keys in the format of age, so that an archive is of use without Gantry too.
//
// Every byte of an archive is covered by a checksum, and whoever reads one
// checks all of them.
package archive
