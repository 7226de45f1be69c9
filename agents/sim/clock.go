package sim

import (
	"container/heap"
	"time"
)

// epoch is when every simulation begins.
var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// event is something that happens at a time. Those of the same time happen in
// the order in which they were put in.
type event struct {
	at     time.Time
	serial uint64
	do     func()
}

// agenda is a heap of events.
type agenda []event

// Len implements heap.Interface.
func (a agenda) Len() int { return len(a) }

// Less implements heap.Interface.
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].serial < a[j].serial
}

// Swap implements heap.Interface.
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *agenda) Push(x any) { *a = append(*a, x.(event)) }

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	(*a)[last] = event{}
	*a = (*a)[:last]
	return e
}

// after has something done once a time has passed.
func (s *simulation) after(d time.Duration, do func()) {
	s.serial++
	heap.Push(&s.agenda, event{at: s.now.Add(d), serial: s.serial, do: do})
}

// between draws a time.
func (s *simulation) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.rng.Int64N(int64(most-least)+1))
}
