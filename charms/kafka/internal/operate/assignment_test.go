package operate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawn are partitions of brokers 0 to n-1, none of which holds one twice.
func drawn(t *rapid.T) (all []Partition, brokers []int32) {
	for b := range rapid.Int32Range(1, 6).Draw(t, "brokers") {
		brokers = append(brokers, b)
	}
	for i := range rapid.Int32Range(0, 20).Draw(t, "partitions") {
		order := rapid.Permutation(brokers).Draw(t, "replicas")
		all = append(all, Partition{Topic: "t", Number: i, Replicas: order[:rapid.IntRange(1, min(3, len(order))).Draw(t, "factor")]})
	}
	return all, brokers
}

func distinct(t *rapid.T, all []Partition) {
	t.Helper()
	for _, p := range all {
		if sorted := slices.Sorted(slices.Values(p.Replicas)); len(slices.Compact(sorted)) != len(p.Replicas) || len(p.Replicas) == 0 {
			t.Fatalf("partition %d is held by %v", p.Number, p.Replicas)
		}
	}
}

func TestADrainedBrokerHoldsNothingThatAnotherCanHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, brokers := drawn(t)
		a := assign(all, brokers)
		a.drain(0)
		distinct(t, a.partitions)
		for i, p := range a.partitions {
			was := all[i].Replicas
			if slices.Contains(p.Replicas, 0) && len(brokers) > 1 {
				t.Fatalf("%v is left where it was", was)
			}
			if want := min(len(was), max(len(brokers)-1, 1)); len(p.Replicas) != want {
				t.Fatalf("%v came to %v", was, p.Replicas)
			}
			if !slices.Contains(was, 0) && !slices.Equal(was, p.Replicas) {
				t.Fatalf("%v was moved to %v for nothing", was, p.Replicas)
			}
		}
	})
}

func TestRaisedPartitionsKeepTheirReplicasAndLeader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, brokers := drawn(t)
		a := assign(all, brokers)
		a.raise(3)
		distinct(t, a.partitions)
		for i, p := range a.partitions {
			was := all[i].Replicas
			if len(p.Replicas) != max(len(was), min(3, len(brokers))) || !slices.Equal(was, p.Replicas[:len(was)]) {
				t.Fatalf("%v came to %v of %d brokers", was, p.Replicas, len(brokers))
			}
		}
	})
}

func TestLevellingEvensLoadsAndEndsWhereNothingHelps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, brokers := drawn(t)
		spread := func(load map[int32]int) int {
			least, most := 1<<30, 0
			for _, b := range brokers {
				least, most = min(least, load[b]), max(most, load[b])
			}
			return most - least
		}
		before := spread(assign(all, brokers).load)
		a := assign(all, brokers)
		a.level()
		distinct(t, a.partitions)
		if after := spread(a.load); after > before {
			t.Fatalf("loads differed by %d, and by %d after", before, after)
		}
	})
}

func TestANewBrokerIsGivenItsShare(t *testing.T) {
	var all []Partition
	for i := range int32(12) {
		all = append(all, Partition{Topic: "t", Number: i, Replicas: []int32{i % 3, (i + 1) % 3}})
	}
	a := assign(all, []int32{0, 1, 2, 3})
	a.level()
	if a.load[3] != 6 {
		t.Errorf("it holds %d of 24 replicas", a.load[3])
	}
}
