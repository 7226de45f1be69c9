package state

import (
	"bytes"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// schema says how the rows of one table are keyed and found.
type schema[T any] struct {
	table   Table
	key     func(*T) Key
	stamp   func(*T) *Stamp
	indexes []index[T] // further orders, each an own tree
}

// index lists, for a row, the radix keys under which it is also found. The
// row's own key is appended to each.
type index[T any] func(*T) [][]byte

// table is a typed table over immutable trees. A copy is a snapshot, as long
// as it has no transaction open.
type table[T any] struct {
	*schema[T]
	rows *tree[T]
	by   []*tree[[]byte] // one for each index: to the radix key of the row
}

// tree is a radix tree, or a transaction on one while state applies.
type tree[V any] struct {
	done *iradix.Tree[V]
	open *iradix.Txn[V]
}

func newTree[V any]() *tree[V] { return &tree[V]{done: iradix.New[V]()} }

func (t *tree[V]) root() *iradix.Node[V] {
	if t.open != nil {
		return t.open.Root()
	}
	return t.done.Root()
}

func (t *tree[V]) txn() *iradix.Txn[V] {
	if t.open == nil {
		t.open = t.done.Txn()
	}
	return t.open
}

// fork returns a tree that may be written without the other noticing.
func (t *tree[V]) fork() *tree[V] { return &tree[V]{done: t.done} }

func (t *tree[V]) commit() {
	if t.open != nil {
		t.done, t.open = t.open.CommitOnly(), nil
	}
}

func newTable[T any](s *schema[T]) table[T] {
	t := table[T]{schema: s, rows: newTree[T]()}
	for range s.indexes {
		t.by = append(t.by, newTree[[]byte]())
	}
	return t
}

// fork makes the table writable without its snapshots noticing.
func (t *table[T]) fork() {
	t.rows = t.rows.fork()
	by := make([]*tree[[]byte], len(t.by))
	for i := range t.by {
		by[i] = t.by[i].fork()
	}
	t.by = by
}

func (t *table[T]) commit() {
	t.rows.commit()
	for _, b := range t.by {
		b.commit()
	}
}

func (t *table[T]) find(k Key) (T, bool) { return t.rows.root().Get(k.radixKey()) }

// under returns the rows whose keys begin with the prefix, in order.
func (t *table[T]) under(prefix []byte) []T {
	var rows []T
	t.rows.root().WalkPrefix(prefix, func(_ []byte, row T) bool {
		rows = append(rows, row)
		return false
	})
	return rows
}

// indexed returns the rows that an index has under the prefix, in its order.
func (t *table[T]) indexed(i int, prefix []byte) []T {
	var rows []T
	t.by[i].root().WalkPrefix(prefix, func(_ []byte, at []byte) bool {
		if row, ok := t.rows.root().Get(at); ok {
			rows = append(rows, row)
		}
		return false
	})
	return rows
}

// has reports whether an index has anything under the prefix.
func (t *table[T]) has(i int, prefix []byte) bool {
	found := false
	t.by[i].root().WalkPrefix(prefix, func([]byte, []byte) bool {
		found = true
		return true
	})
	return found
}

// set stores a row, or removes it where row is nil, and keeps the indexes. It
// returns what was there.
func (t *table[T]) set(k Key, row *T) (old T, existed bool) {
	at := k.radixKey()
	if row != nil {
		old, existed = t.rows.txn().Insert(at, *row)
	} else {
		old, existed = t.rows.txn().Delete(at)
	}
	for i, list := range t.indexes {
		var was, is [][]byte
		if existed {
			was = list(&old)
		}
		if row != nil {
			is = list(row)
		}
		t.reindex(i, at, was, is)
	}
	return old, existed
}

func (t *table[T]) reindex(i int, at []byte, was, is [][]byte) {
	if len(was) == len(is) && (len(was) == 0 || len(was) == 1 && bytes.Equal(was[0], is[0])) {
		return
	}
	for _, key := range was {
		t.by[i].txn().Delete(append(key, at...))
	}
	for _, key := range is {
		t.by[i].txn().Insert(append(key, at...), at)
	}
}
