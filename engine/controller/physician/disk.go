package physician

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// disk tries, again and again, how long a small write takes to be kept.
type disk struct {
	mu    sync.Mutex
	last  []time.Duration // newest last
	began time.Time       // of the trial that has not ended; else zero
}

const keptTrials = 5

func (d *disk) run(ctx context.Context, dir string, synced func(time.Duration), log *slog.Logger) error {
	for ctx.Err() == nil {
		took, err := d.try(dir)
		if err != nil {
			log.Warn("the disk cannot be measured", "dir", dir, "error", err)
		} else {
			synced(took)
		}
		pause(ctx, ownEvery)
	}
	return nil
}

// try writes a file and has it kept.
func (d *disk) try(dir string) (time.Duration, error) {
	began := time.Now()
	d.mu.Lock()
	d.began = began
	d.mu.Unlock()
	err := writeThrough(filepath.Join(dir, ".fsync"))
	took := time.Since(began)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.began = (time.Time{}); err == nil {
		d.last = append(d.last, took)
		d.last = d.last[max(0, len(d.last)-keptTrials):]
	}
	return took, err
}

// writeThrough overwrites a small file in place.
func writeThrough(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(make([]byte, 512), 0)
	return errors.Join(err, f.Sync(), f.Close())
}

// took is the median of the latest trials, which one hiccup does not move, or
// how long the present one takes already.
func (d *disk) took(now time.Time) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	var median time.Duration
	if sorted := slices.Sorted(slices.Values(d.last)); len(sorted) > 0 {
		median = sorted[len(sorted)/2]
	}
	if !d.began.IsZero() {
		return max(median, now.Sub(d.began))
	}
	return median
}

// space is what a directory's file system has left and holds in all; zeros
// where that is not known.
func space(dir string) (freeMiB, sizeMiB int) {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return 0, 0
	}
	return int(fs.Bavail * uint64(fs.Bsize) >> 20), int(fs.Blocks * uint64(fs.Bsize) >> 20)
}
