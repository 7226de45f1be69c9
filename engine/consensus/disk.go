package consensus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"

	"github.com/gantry-orchestrator/gantry/model"
)

const segmentBytes = 16 << 20 // of the write-ahead log, preallocated

// disk is what a member keeps. The first write or read that fails is the last:
// what a file holds after a failed fsync is unknown, and a second fsync says
// nothing of what the first one lost. From then on the goroutine that needs the
// disk ends in the middle of what it did, as in a crash, so that nothing is
// answered that was not kept.
type disk struct {
	logs      raft.LogStore
	stable    raft.StableStore
	snapshots raft.SnapshotStore
	shut      func() error
	noted     func(index uint64, c raft.Configuration) // of snapshots that are opened

	meter   Meter                     // may be nil
	writing atomic.Pointer[time.Time] // when the write of the log that has not ended began

	armed  atomic.Bool // set once raft runs: before, errors are returned
	once   sync.Once
	err    error
	failed chan struct{} // closed with the first fault, after err is set
}

// openDisk opens log and snapshots of a directory.
func openDisk(dir string, logger hclog.Logger) (*disk, error) {
	at := filepath.Join(dir, "wal")
	if err := os.MkdirAll(at, 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(dir, retainedSnapshots, logger)
	if err != nil {
		return nil, fmt.Errorf("open snapshots in %s: %w", dir, err)
	}
	if err := renewFile(filepath.Join(at, metadb.FileName)); err != nil {
		return nil, fmt.Errorf("open log in %s: %w", dir, err)
	}
	meta := &metadb.BoltMetaDB{}
	log, err := openLog(at, fs.New(), meta, segmentBytes, logger)
	if err != nil {
		return nil, fmt.Errorf("open log in %s: %w", dir, errors.Join(err, meta.Close()))
	}
	// meta is ours to close: the log does not, and the file stays locked.
	return newDisk(log, log, snapshots, func() error { return errors.Join(log.Close(), meta.Close()) }), nil
}

// openLog opens the log of a folder of a file system.
func openLog(dir string, files types.VFS, meta types.MetaStore, size int, logger hclog.Logger) (*wal.WAL, error) {
	if err := rotate(dir, files, meta); err != nil {
		return nil, err
	}
	return wal.Open(dir, wal.WithSegmentSize(size), wal.WithLogger(logger), wal.WithMetaStore(meta),
		wal.WithSegmentFiler(segments{segment.NewFiler(dir, renewing{files})}))
}

func newDisk(logs raft.LogStore, stable raft.StableStore, snapshots raft.SnapshotStore, shut func() error) *disk {
	return &disk{logs: logs, stable: stable, snapshots: snapshots, shut: shut, failed: make(chan struct{})}
}

// arm has faults from now on end the goroutine that meets them.
func (d *disk) arm() { d.armed.Store(true) }

func (d *disk) close() error { return d.shut() }

// fault is the first failure, or nil.
func (d *disk) fault() error {
	select {
	case <-d.failed:
		return d.err
	default:
		return nil
	}
}

// ready ends the caller where the disk has failed before.
func (d *disk) ready() {
	if d.fault() != nil {
		runtime.Goexit()
	}
}

// checked passes the result of an access on.
func (d *disk) checked(doing string, err error) error {
	if err == nil || !d.armed.Load() {
		return err
	}
	d.fail(doing, err)
	runtime.Goexit()
	return nil
}

func (d *disk) fail(doing string, err error) {
	d.once.Do(func() {
		d.err = fmt.Errorf("the disk failed to %s: this controller stops; see to the disk and start it again: %w: %w", doing, err, model.ErrUnavailable)
		close(d.failed)
	})
}

// errStalled is of a disk that does not answer. A leader on it would be heard
// by the others and commit nothing.
var errStalled = errors.New("it did not end in time")

// stalled notices a write that does not end. It counts looks, so that a process
// that was paused in the middle of a write does not take it for a slow one.
func (d *disk) stalled() func() bool {
	var last *time.Time
	looks := 0
	return func() bool {
		now := d.writing.Load()
		if now == nil || now != last {
			last, looks = now, 0
			return false
		}
		looks++
		return looks >= stallLooks
	}
}

// FirstIndex implements raft.LogStore.
func (d *disk) FirstIndex() (uint64, error) { return d.logs.FirstIndex() }

// LastIndex implements raft.LogStore.
func (d *disk) LastIndex() (uint64, error) { return d.logs.LastIndex() }

// GetLog implements raft.LogStore.
func (d *disk) GetLog(index uint64, log *raft.Log) error {
	d.ready()
	err := d.logs.GetLog(index, log)
	if errors.Is(err, raft.ErrLogNotFound) || errors.Is(err, wal.ErrNotFound) {
		return raft.ErrLogNotFound
	}
	return d.checked("read the log", err)
}

// StoreLog implements raft.LogStore.
func (d *disk) StoreLog(log *raft.Log) error { return d.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (d *disk) StoreLogs(logs []*raft.Log) error {
	d.ready()
	began := time.Now()
	d.writing.Store(&began)
	err := d.logs.StoreLogs(logs)
	d.writing.Store(nil)
	if d.meter != nil {
		d.meter.Stored(time.Since(began))
	}
	d.ready()
	return d.checked("write the log", err)
}

// DeleteRange implements raft.LogStore.
func (d *disk) DeleteRange(from, to uint64) error {
	d.ready()
	return d.checked("cut the log", d.logs.DeleteRange(from, to))
}

// IsMonotonic implements raft.MonotonicLogStore.
func (d *disk) IsMonotonic() bool { return true }

// Set implements raft.StableStore.
func (d *disk) Set(key, value []byte) error {
	d.ready()
	return d.checked("keep a vote", d.stable.Set(key, value))
}

// SetUint64 implements raft.StableStore.
func (d *disk) SetUint64(key []byte, value uint64) error {
	d.ready()
	return d.checked("keep a term", d.stable.SetUint64(key, value))
}

// Get implements raft.StableStore.
func (d *disk) Get(key []byte) ([]byte, error) {
	d.ready()
	return d.stable.Get(key)
}

// GetUint64 implements raft.StableStore.
func (d *disk) GetUint64(key []byte) (uint64, error) {
	d.ready()
	return d.stable.GetUint64(key)
}
