package operate

import (
	"cmp"
	"slices"
)

// Partition is one partition of a topic and the brokers that hold it.
type Partition struct {
	Topic    string
	Number   int32
	Replicas []int32 // the preferred leader first
}

// assignment is who holds what, while a better one is looked for.
type assignment struct {
	partitions []Partition
	brokers    []int32 // that may hold replicas
	load       map[int32]int
	changed    map[int]bool // of partitions, by index
}

func assign(partitions []Partition, brokers []int32) *assignment {
	a := &assignment{brokers: slices.Sorted(slices.Values(brokers)), load: map[int32]int{}, changed: map[int]bool{}}
	for _, p := range partitions {
		p.Replicas = slices.Clone(p.Replicas)
		a.partitions = append(a.partitions, p)
		for _, r := range p.Replicas {
			a.load[r]++
		}
	}
	slices.SortFunc(a.partitions, func(x, y Partition) int {
		return cmp.Or(cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Number, y.Number))
	})
	return a
}

// changes are the partitions that are held by others now.
func (a *assignment) changes() []Partition {
	var all []Partition
	for i, p := range a.partitions {
		if a.changed[i] {
			all = append(all, p)
		}
	}
	return all
}

// idlest is the broker with the fewest replicas of those that do not hold one
// of a partition.
func (a *assignment) idlest(p Partition) (int32, bool) {
	var free []int32
	for _, b := range a.brokers {
		if !slices.Contains(p.Replicas, b) {
			free = append(free, b)
		}
	}
	if len(free) == 0 {
		return 0, false
	}
	return slices.MinFunc(free, func(x, y int32) int { return cmp.Or(cmp.Compare(a.load[x], a.load[y]), cmp.Compare(x, y)) }), true
}

// drain gives the replicas of a broker to others, but to none that leaves too.
// Where none is left to take one, the partition has a replica less.
func (a *assignment) drain(from int32, leaving ...int32) {
	a.brokers = slices.DeleteFunc(slices.Clone(a.brokers), func(b int32) bool { return b == from || slices.Contains(leaving, b) })
	for i := range a.partitions {
		p := &a.partitions[i]
		at := slices.Index(p.Replicas, from)
		if at < 0 {
			continue
		}
		to, found := a.idlest(*p)
		switch {
		case found:
			p.Replicas[at] = to
			a.load[to]++
		case len(p.Replicas) == 1:
			continue // there is nowhere else to keep it
		default:
			p.Replicas = slices.Delete(p.Replicas, at, at+1)
		}
		a.load[from]--
		a.changed[i] = true
	}
}

// raise gives every partition as many replicas, as far as there are brokers.
func (a *assignment) raise(factor int) {
	for i := range a.partitions {
		for p := &a.partitions[i]; len(p.Replicas) < factor; {
			to, found := a.idlest(*p)
			if !found {
				break
			}
			p.Replicas = append(p.Replicas, to)
			a.load[to]++
			a.changed[i] = true
		}
	}
}

// level moves replicas from the busiest broker to the idlest until they differ
// by one at most, each partition once.
func (a *assignment) level() {
	for {
		i, from, to, found := a.move()
		if !found {
			return
		}
		p := &a.partitions[i]
		p.Replicas[slices.Index(p.Replicas, from)] = to
		a.load[from]--
		a.load[to]++
		a.changed[i] = true
	}
}

// move is a partition that the busiest broker holds and the idlest does not.
func (a *assignment) move() (partition int, from, to int32, found bool) {
	if len(a.brokers) < 2 {
		return 0, 0, 0, false
	}
	byLoad := slices.SortedStableFunc(slices.Values(a.brokers), func(x, y int32) int { return cmp.Compare(a.load[x], a.load[y]) })
	to, from = byLoad[0], byLoad[len(byLoad)-1]
	if a.load[from]-a.load[to] < 2 {
		return 0, 0, 0, false
	}
	for i, p := range a.partitions {
		if !a.changed[i] && slices.Contains(p.Replicas, from) && !slices.Contains(p.Replicas, to) {
			return i, from, to, true
		}
	}
	return 0, 0, 0, false
}
