package consensus

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/types"
)

// verdict is what becomes of one access to a simulated disk.
type verdict int

const (
	works      verdict = iota
	full               // nothing is written, and that is said
	broken             // likewise for another reason; of a sync: what was written since the last is gone, but still read
	powerLoss          // the machine loses what was not synced, before the access
	powerAfter         // likewise after the access
)

var (
	errFull   = errors.New("no space left on device")
	errBroken = errors.New("input/output error")
	errPower  = errors.New("the machine lost power")
)

const simSegment = 4 << 10 // bytes: a few dozen entries

// simDisk is a machine's disk in memory, with a page cache before it: a file
// has what was synced, and what is read.
type simDisk struct {
	mu    sync.Mutex
	rng   *rand.Rand
	files map[string]*simFile
	meta  types.PersistentState
	kept  map[string][]byte // votes and terms
	snaps []*simSnapshot    // latest first
	off   bool              // until it is switched on again
	pause *simPause         // of the process that uses it

	accesses int
	decide   func(access int, what string) verdict // nil is works
	cut      func()                                // told once power is lost, before anything else happens
	latency  time.Duration                         // of a write to the log
}

// simFile is one file of a simulated disk.
type simFile struct {
	disk    *simDisk
	durable []byte
	cached  []byte
	pending []simWrite // since the last sync
	linked  bool       // its name survives
}

type simWrite struct {
	at   int64
	data []byte
}

func newSimDisk(seed uint64) *simDisk {
	return &simDisk{rng: rand.New(rand.NewPCG(seed, 1)), files: map[string]*simFile{}, kept: map[string][]byte{}, pause: &simPause{}}
}

// access decides what becomes of an access, and does it where it is to work.
func (d *simDisk) access(what string, do func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off {
		return errPower
	}
	d.accesses++
	v := works
	if d.decide != nil {
		v = d.decide(d.accesses, what)
	}
	switch v {
	case full:
		return errFull
	case broken:
		return errBroken
	case powerLoss:
		d.lose()
		return errPower
	}
	do()
	if v == powerAfter {
		d.lose()
		return errPower
	}
	return nil
}

// lose is the loss of power. Of what was not synced, any part may be kept.
func (d *simDisk) lose() {
	if d.cut != nil {
		d.cut()
	}
	d.off = true
	for _, name := range slices.Sorted(maps.Keys(d.files)) {
		f := d.files[name]
		if !f.linked && d.rng.IntN(2) == 0 {
			delete(d.files, name)
			continue
		}
		for _, w := range f.pending {
			switch n := len(w.data); d.rng.IntN(3) {
			case 0:
				f.durable = patched(f.durable, w.at, w.data)
			case 1:
				f.durable = patched(f.durable, w.at, w.data[:d.rng.IntN(n+1)])
			}
		}
		f.cached, f.pending, f.linked = bytes.Clone(f.durable), nil, true
	}
}

// switchOff is lose from outside.
func (d *simDisk) switchOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.off {
		d.lose()
	}
}

// switchOn has the disk answer again. What a process that merely failed left
// in the page cache is read.
func (d *simDisk) switchOn() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = false
}

func patched(b []byte, at int64, data []byte) []byte {
	if grow := int(at) + len(data) - len(b); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	copy(b[at:], data)
	return b
}

// ListDir implements types.VFS.
func (d *simDisk) ListDir(string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.files)), nil
}

// Create implements types.VFS.
func (d *simDisk) Create(_, name string, size uint64) (types.WritableFile, error) {
	f := &simFile{disk: d, durable: make([]byte, size), cached: make([]byte, size)}
	return f, d.access("create segment", func() { d.files[name] = f })
}

// Delete implements types.VFS.
func (d *simDisk) Delete(_, name string) error {
	return d.access("delete segment", func() { delete(d.files, name) })
}

// OpenReader implements types.VFS.
func (d *simDisk) OpenReader(dir, name string) (types.ReadableFile, error) {
	return d.OpenWriter(dir, name)
}

// OpenWriter implements types.VFS.
func (d *simDisk) OpenWriter(_, name string) (types.WritableFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.files[name]
	if !ok {
		return nil, os.ErrNotExist
	}
	return f, nil
}

// WriteAt implements types.WritableFile.
func (f *simFile) WriteAt(b []byte, at int64) (int, error) {
	err := f.disk.access("write log", func() {
		f.cached = patched(f.cached, at, b)
		f.pending = append(f.pending, simWrite{at, bytes.Clone(b)})
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// ReadAt implements types.ReadableFile.
func (f *simFile) ReadAt(b []byte, at int64) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if at >= int64(len(f.cached)) {
		return 0, io.EOF
	}
	n := copy(b, f.cached[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Sync implements types.WritableFile.
func (f *simFile) Sync() error {
	err := f.disk.access("sync log", f.sync)
	if errors.Is(err, errBroken) {
		f.disk.mu.Lock()
		defer f.disk.mu.Unlock()
		f.pending = nil
	}
	return err
}

func (f *simFile) sync() {
	for _, w := range f.pending {
		f.durable = patched(f.durable, w.at, w.data)
	}
	f.pending, f.linked = nil, true
}

// Close implements io.Closer.
func (f *simFile) Close() error { return nil }

// simMeta is the part of a simulated disk that changes as a whole.
type simMeta struct{ *simDisk }

// Load implements types.MetaStore.
func (m simMeta) Load(string) (types.PersistentState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.meta, nil
}

// CommitState implements types.MetaStore.
func (m simMeta) CommitState(s types.PersistentState) error {
	s.Segments = slices.Clone(s.Segments)
	return m.access("commit segments", func() { m.meta = s })
}

// GetStable implements types.MetaStore.
func (m simMeta) GetStable(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[string(key)], nil
}

// SetStable implements types.MetaStore.
func (m simMeta) SetStable(key, value []byte) error {
	m.pause.wait()
	return m.access("keep "+string(key), func() { m.kept[string(key)] = bytes.Clone(value) })
}

// Close implements io.Closer.
func (m simMeta) Close() error { return nil }

// simSnapshot is a snapshot on a simulated disk, and its sink.
type simSnapshot struct {
	disk    *simDisk
	meta    raft.SnapshotMeta
	content bytes.Buffer
}

// simSnapshots are the snapshots of a simulated disk.
type simSnapshots struct{ *simDisk }

// Create implements raft.SnapshotStore.
func (s simSnapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	sink := &simSnapshot{disk: s.simDisk, meta: raft.SnapshotMeta{
		Version: version, Index: index, Term: term, Configuration: c.Clone(), ConfigurationIndex: at,
		ID: strings.Join([]string{"s", time.Now().Format("150405.000000")}, "-"),
	}}
	return sink, s.access("create snapshot", func() {})
}

// List implements raft.SnapshotStore.
func (s simSnapshots) List() (metas []*raft.SnapshotMeta, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.snaps {
		meta := one.meta
		metas = append(metas, &meta)
	}
	return metas, nil
}

// Open implements raft.SnapshotStore.
func (s simSnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.snaps {
		if one.meta.ID == id {
			meta := one.meta
			return &meta, io.NopCloser(bytes.NewReader(one.content.Bytes())), nil
		}
	}
	return nil, nil, os.ErrNotExist
}

// Write implements raft.SnapshotSink.
func (s *simSnapshot) Write(b []byte) (int, error) {
	return len(b), s.disk.access("write snapshot", func() { s.content.Write(b) })
}

// Close implements raft.SnapshotSink.
func (s *simSnapshot) Close() error {
	return s.disk.access("finish snapshot", func() {
		s.meta.Size = int64(s.content.Len())
		s.disk.snaps = append([]*simSnapshot{s}, s.disk.snaps...)
		s.disk.snaps = s.disk.snaps[:min(len(s.disk.snaps), retainedSnapshots)]
	})
}

// ID implements raft.SnapshotSink.
func (s *simSnapshot) ID() string { return s.meta.ID }

// Cancel implements raft.SnapshotSink.
func (s *simSnapshot) Cancel() error { return nil }

// slowLog takes the disk's time for a write, outside of every lock.
type slowLog struct {
	raft.LogStore
	disk *simDisk
}

// StoreLogs implements raft.LogStore.
func (s slowLog) StoreLogs(logs []*raft.Log) error {
	s.disk.mu.Lock()
	latency := s.disk.latency
	s.disk.mu.Unlock()
	time.Sleep(latency)
	s.disk.pause.wait()
	return s.LogStore.StoreLogs(logs)
}

// open is a process that opens the disk.
func (d *simDisk) open() (*disk, error) {
	log, err := openLog("", d, simMeta{d}, simSegment, raftLogger(nil))
	if err != nil {
		return nil, err
	}
	return newDisk(slowLog{log, d}, log, simSnapshots{d}, log.Close), nil
}
