package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/gantry-orchestrator/gantry/model"
)

// Reader reads the records of a ledger. A torn tail, what a crash leaves of
// the last writes, ends the records like the end of the file.
type Reader struct {
	lines *bufio.Reader
	line  int
	good  int64
}

// NewReader returns a reader of the ledger that r holds from its beginning or
// from the Good offset of an earlier reader.
func NewReader(r io.Reader) *Reader { return &Reader{lines: bufio.NewReader(r)} }

// Good returns the length of the records read so far: where, after the last,
// a torn tail begins.
func (r *Reader) Good() int64 { return r.good }

// Records returns the records that are left. After an error there are none. A
// damaged record with a good one after it is no torn tail but an error.
func (r *Reader) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		damaged := 0
		var damage error
		for {
			line, err := r.lines.ReadSlice('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				yield(Record{}, fmt.Errorf("read ledger: %w", err))
				return
			}
			r.line++
			record, err := parseRecord(string(line[:len(line)-1]))
			if err != nil {
				if damaged == 0 {
					damaged, damage = r.line, err
				}
				continue
			}
			if damaged > 0 {
				yield(Record{}, fmt.Errorf("read ledger: line %d is damaged and line %d after it is not; restore the file from a copy: %w: %w", damaged, r.line, damage, model.ErrInvalid))
				return
			}
			r.good += int64(len(line))
			if !yield(record, nil) {
				return
			}
		}
	}
}
