package operate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Defragment gives the space of compacted revisions of the member back.
func (c Cluster) Defragment(ctx context.Context) error {
	c.unhurried = true
	return c.call(ctx, "/v3/maintenance/defragment", struct{}{}, nil)
}

// SnapshotFile is a file in a directory, which is made, named by the time.
func SnapshotFile(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a place for snapshots: %w", err)
	}
	return filepath.Join(dir, "etcd-"+time.Now().UTC().Format("20060102T150405.000Z")+".db"), nil
}

// Snapshot saves the store to a file that must not be there, and returns its
// size. What does not match the digest that etcd sends with it is not kept.
func (c Cluster) Snapshot(ctx context.Context, path string) (size int64, err error) {
	token, err := c.token(ctx)
	if err != nil {
		return 0, err
	}
	c.unhurried = true
	response, err := c.send(ctx, "/v3/maintenance/snapshot", token, struct{}{})
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, errors.Join(fmt.Errorf("save a snapshot: %w", err), response.Close())
	}
	size, err = receive(response, f)
	if err = errors.Join(err, f.Sync(), f.Close(), response.Close()); err != nil {
		return 0, errors.Join(fmt.Errorf("save a snapshot to %s: %w", path, err), os.Remove(path))
	}
	return size, nil
}

// receive writes the parts of a snapshot. The last holds the digest of all
// others, which stays with the file: etcd's tools look for it there.
func receive(from io.Reader, to io.Writer) (size int64, err error) {
	var tail []byte // the last bytes, which may be the digest
	sum := sha256.New()
	for decoder := json.NewDecoder(from); ; {
		var part struct {
			Result struct{ Blob []byte }
			Error  *refusal
		}
		if err := decoder.Decode(&part); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return size, err
		}
		if part.Error != nil {
			return size, *part.Error
		}
		n, err := to.Write(part.Result.Blob)
		size += int64(n)
		if err != nil {
			return size, err
		}
		tail = append(tail, part.Result.Blob...)
		if extra := len(tail) - sha256.Size; extra > 0 {
			sum.Write(tail[:extra])
			tail = bytes.Clone(tail[extra:])
		}
	}
	if !bytes.Equal(tail, sum.Sum(nil)) {
		return size, fmt.Errorf("it arrived damaged or in part: try again: %w", model.ErrUnavailable)
	}
	return size, nil
}
