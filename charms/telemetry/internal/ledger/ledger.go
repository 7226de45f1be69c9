package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/model"
)

// Ledger appends records to a file that it alone has open for that. It may be
// used by several goroutines at once.
type Ledger struct {
	file *os.File

	mu      sync.Mutex
	synced  *sync.Cond // syncing or durable changed
	syncing bool
	written uint64 // records handed to the operating system
	durable uint64 // records of those that are on disk
	failed  error  // sticky: after a failed write or fsync the file is not known
}

// Open opens the ledger at path, made empty where there is none, cuts off a
// torn tail, and returns what it says of the past. A second process that opens
// the same ledger is refused as a conflict.
func Open(path string) (*Ledger, History, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, History{}, fmt.Errorf("open ledger: %w", err)
	}
	history, err := prepare(file)
	if err != nil {
		return nil, History{}, errors.Join(fmt.Errorf("open ledger %s: %w", path, err), file.Close())
	}
	l := &Ledger{file: file}
	l.synced = sync.NewCond(&l.mu)
	return l, history, nil
}

// prepare locks file, reads it, and leaves it ending in a whole record, with
// its name on disk.
func prepare(file *os.File) (History, error) {
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return History{}, fmt.Errorf("another process writes it; stop that one first: %w: %w", err, model.ErrConflict)
	}
	reader := NewReader(file)
	history, err := HistoryOf(reader.Records())
	if err != nil {
		return History{}, err
	}
	if err := file.Truncate(reader.Good()); err != nil {
		return History{}, err
	}
	if err := file.Sync(); err != nil {
		return History{}, err
	}
	directory, err := os.Open(filepath.Dir(file.Name()))
	if err != nil {
		return History{}, err
	}
	return history, errors.Join(directory.Sync(), directory.Close())
}

// Note writes r and returns. A crash of the program does not lose it; one of
// the machine may, until a later Append returns.
func (l *Ledger) Note(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(r)
}

// Append writes r and returns when r and all before it are on disk.
// Concurrent calls share an fsync.
func (l *Ledger) Append(r Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.write(r); err != nil {
		return err
	}
	own := l.written
	for l.durable < own && l.failed == nil {
		if l.syncing {
			l.synced.Wait()
			continue
		}
		l.sync()
	}
	if l.durable < own {
		return l.failed
	}
	return nil
}

// Close syncs and closes the file. There must be no call after it.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.failed, l.file.Sync(), l.file.Close())
}

func (l *Ledger) write(r Record) error {
	if l.failed != nil {
		return l.failed
	}
	if _, err := l.file.Write(appendRecord(nil, r)); err != nil {
		l.failed = fmt.Errorf("write %s of packet %v to the ledger: %w", r.Event, r.ID, err)
		return l.failed
	}
	l.written++
	return nil
}

// sync makes what is written durable. It gives mu up while the disk works, so
// that the records of others gather for the next turn.
func (l *Ledger) sync() {
	l.syncing = true
	target := l.written
	l.mu.Unlock()
	err := l.file.Sync()
	l.mu.Lock()
	l.syncing = false
	if err != nil {
		l.failed = fmt.Errorf("make the ledger durable: %w", err)
	} else {
		l.durable = target
	}
	l.synced.Broadcast()
}
