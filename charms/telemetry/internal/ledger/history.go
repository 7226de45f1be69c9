package ledger

import (
	"iter"
	"slices"
)

// History is what a ledger says of the past: how often each event was
// recorded, and which packets are without a final one.
type History struct {
	Count map[Event]int
	Open  []Record // the last record of each, by ID
}

// HistoryOf sums up records.
func HistoryOf(records iter.Seq2[Record, error]) (History, error) {
	h := History{Count: map[Event]int{}}
	open := map[ID]Record{}
	for r, err := range records {
		if err != nil {
			return History{}, err
		}
		h.Count[r.Event]++
		if r.Event.Final() {
			delete(open, r.ID)
		} else {
			open[r.ID] = r
		}
	}
	for _, r := range open {
		h.Open = append(h.Open, r)
	}
	slices.SortFunc(h.Open, func(a, b Record) int { return a.ID.Compare(b.ID) })
	return h, nil
}
