package consensus

import (
	"io"

	"github.com/hashicorp/raft"
)

// A snapshot that cannot be written is given up and tried again later: the log
// still holds everything. So their errors are raft's to deal with, unless the
// disk has failed already.

// Create implements raft.SnapshotStore.
func (d *disk) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, configurationIndex uint64, t raft.Transport) (raft.SnapshotSink, error) {
	d.ready()
	return d.snapshots.Create(version, index, term, c, configurationIndex, t)
}

// List implements raft.SnapshotStore.
func (d *disk) List() ([]*raft.SnapshotMeta, error) { return d.snapshots.List() }

// Open implements raft.SnapshotStore.
func (d *disk) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, content, err := d.snapshots.Open(id)
	if err == nil && d.noted != nil {
		d.noted(meta.ConfigurationIndex, meta.Configuration)
	}
	return meta, content, err
}
