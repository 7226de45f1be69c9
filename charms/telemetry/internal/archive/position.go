package archive

import (
	"encoding/hex"
	"maps"
	"slices"
)

// TopicID names a topic for ever: another one of the same name has another.
type TopicID [16]byte

// String returns the ID as hexadecimal digits, which PostgreSQL takes as a UUID.
func (id TopicID) String() string { return hex.EncodeToString(id[:]) }

// Position says how far a topic goes, or was read: the offset of the record
// that comes next in each partition.
type Position struct {
	Topic TopicID
	Next  map[int32]int64
}

// Covers reports whether all that lies below o lies below p.
func (p Position) Covers(o Position) bool {
	for partition, next := range o.Next {
		if p.Next[partition] < next {
			return false
		}
	}
	return p.Topic == o.Topic
}

// Partitions are those of the position, in order.
func (p Position) Partitions() []int32 { return slices.Sorted(maps.Keys(p.Next)) }
