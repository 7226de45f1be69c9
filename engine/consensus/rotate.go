package consensus

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

// rotate finishes the change from a full segment to the next that an end of the
// process interrupted. raft-wal 0.4.0 seals a segment in its file before it says
// so in its list, and a log whose last segment is sealed in one and not in the
// other takes nothing any more. So does one whose seal was written in part.
func rotate(dir string, files types.VFS, meta types.MetaStore) error {
	list, err := meta.Load(dir)
	if err != nil || len(list.Segments) == 0 {
		return err
	}
	tail := &list.Segments[len(list.Segments)-1]
	if !tail.SealTime.IsZero() {
		return nil
	}
	if _, sealed, err := recovered(*tail, segment.NewFiler(dir, files)); err != nil || !sealed {
		return err
	}
	// What the list is to say must be on the disk before.
	last, _, err := recovered(*tail, segment.NewFiler(dir, renewing{files}))
	if err != nil {
		return err
	}
	next := *tail
	next.ID, next.CreateTime = list.NextSegmentID, time.Now()
	list.NextSegmentID++
	if last < tail.BaseIndex { // nothing in it was ever acknowledged
		*tail = next
	} else {
		next.BaseIndex, next.MinIndex = last+1, last+1
		tail.SealTime, tail.MaxIndex = next.CreateTime, last
		list.Segments = append(list.Segments, next)
	}
	return meta.CommitState(list)
}

// recovered reads the last entry that a segment has, and whether it was sealed.
// One that was never made has none.
func recovered(info types.SegmentInfo, files types.SegmentFiler) (last uint64, sealed bool, err error) {
	w, err := files.RecoverTail(info)
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the end of the log: %w", err)
	}
	sealed, _, err = w.Sealed()
	return w.LastIndex(), sealed, errors.Join(err, w.Close())
}
