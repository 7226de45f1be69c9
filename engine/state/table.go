package state

import (
	"bytes"

	iradix "github.com/hashicorp/go-immutable-radix/v2"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
)

// schema says how the rows of one table are keyed and found.
type schema[T any] struct {
	table   tables.Name
	added   bool // after the first: left out while empty, so that a build without it reads the rest
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
	rows *tree   // of *T, never written once stored
	by   []*tree // one for each index: to the radix key of the row, a []byte
}

// tree is a radix tree, or a transaction on one while state applies. All hold
// any, so that the compiler makes the tree's code once and not for each table,
// in each package that uses state.
type tree struct {
	done *iradix.Tree[any]
	open *iradix.Txn[any]
}

func newTree() *tree { return &tree{done: iradix.New[any]()} }

func (t *tree) root() *iradix.Node[any] {
	if t.open != nil {
		return t.open.Root()
	}
	return t.done.Root()
}

func (t *tree) txn() *iradix.Txn[any] {
	if t.open == nil {
		t.open = t.done.Txn()
	}
	return t.open
}

// fork returns a tree that may be written without the other noticing.
func (t *tree) fork() *tree { return &tree{done: t.done} }

func (t *tree) commit() {
	if t.open != nil {
		t.done, t.open = t.open.CommitOnly(), nil
	}
}

func newTable[T any](s *schema[T]) table[T] {
	t := table[T]{schema: s, rows: newTree()}
	for range s.indexes {
		t.by = append(t.by, newTree())
	}
	return t
}

// fork makes the table writable without its snapshots noticing.
func (t *table[T]) fork() {
	t.rows = t.rows.fork()
	by := make([]*tree, len(t.by))
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

func (t *table[T]) find(k Key) (row T, ok bool) { return t.at(k.radixKey()) }

func (t *table[T]) at(radix []byte) (row T, ok bool) {
	stored, ok := t.rows.root().Get(radix)
	if ok {
		row = *stored.(*T)
	}
	return row, ok
}

// under returns the rows whose keys begin with the prefix, in order.
func (t *table[T]) under(prefix []byte) []T {
	var rows []T
	t.rows.root().WalkPrefix(prefix, func(_ []byte, stored any) bool {
		rows = append(rows, *stored.(*T))
		return false
	})
	return rows
}

// indexed returns the rows that an index has under the prefix, in its order.
func (t *table[T]) indexed(i int, prefix []byte) []T {
	var rows []T
	t.by[i].root().WalkPrefix(prefix, func(_ []byte, radix any) bool {
		if row, ok := t.at(radix.([]byte)); ok {
			rows = append(rows, row)
		}
		return false
	})
	return rows
}

// set stores a row, or removes it where row is nil, and keeps the indexes. It
// returns what was there. The row is the table's from then on.
func (t *table[T]) set(k Key, row *T) (old T, existed bool) {
	radix := k.radixKey()
	var was any
	if row != nil {
		was, existed = t.rows.txn().Insert(radix, row)
	} else {
		was, existed = t.rows.txn().Delete(radix)
	}
	if existed {
		old = *was.(*T)
	}
	for i, list := range t.indexes {
		var was, is [][]byte
		if existed {
			was = list(&old)
		}
		if row != nil {
			is = list(row)
		}
		t.reindex(i, radix, was, is)
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
