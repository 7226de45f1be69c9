package history

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// taken empties the buffer as the writer does.
func taken(t interface{ Context() context.Context }, b *buffer) (rows []Row) {
	for b.waiting() > 0 {
		rows = append(rows, b.take(t.Context())...)
		b.written()
	}
	return rows
}

func TestWhateverIsOfferedEventsAreKeptInOrderAndTheBoundHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBuffer()
		ctx := context.Background()
		var events, offered, got uint64
		var lost uint64
		read := func(rows []Row) {
			for _, r := range rows {
				if e, ok := r.(Event); ok {
					got++
					if e.Index != got {
						t.Fatalf("event %d where %d was next", e.Index, got)
					}
				} else {
					offered--
				}
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				events++
				if err := b.put(ctx, Event{Index: events}); err != nil {
					t.Fatal(err)
				}
			case 1, 2:
				n := rapid.IntRange(1, 30000).Draw(t, "lines")
				for i := range n {
					var r Row = Line{Text: "text"}
					if i%3 == 0 {
						r = Status{}
					}
					b.offer(r)
				}
				offered += uint64(n)
			case 3:
				if b.waiting() > 0 {
					read(b.take(ctx))
					b.written()
				}
			}
			for _, n := range b.lost() {
				lost += n
			}
			if w := b.waiting(); w > maxRows+batch {
				t.Fatalf("%d rows wait, over the bound of %d", w, maxRows)
			}
		}
		for b.waiting() > 0 {
			read(b.take(ctx))
			b.written()
		}
		if got != events {
			t.Fatalf("%d events came out of %d", got, events)
		}
		if offered != lost {
			t.Fatalf("%d rows are gone, %d were counted", offered, lost)
		}
	})
}

func TestLinesGoBeforeStatusesAndTheOldestFirst(t *testing.T) {
	b := newBuffer()
	b.offer(Status{Source: Source{"s", 1}})
	for i := range maxRows + 1 {
		b.offer(Line{Source: Source{"l", uint64(i)}})
	}
	rows := taken(t, b)
	if _, ok := rows[0].(Status); !ok {
		t.Errorf("the status was dropped while there were lines: first is %T", rows[0])
	}
	if last := rows[len(rows)-1].(Line); last.Source.N != maxRows {
		t.Errorf("the newest line is %d, want %d", last.Source.N, maxRows)
	}
	if lost := b.lost(); lost[lines] == 0 || lost[soft] != 0 || lost[kept] != 0 {
		t.Errorf("lost %v, want lines alone", lost)
	}
}

func TestWhoBringsEventsWaitsForRoomAndNothingElseDoes(t *testing.T) {
	b := newBuffer()
	rows := make([]Row, maxRows)
	for i := range rows {
		rows[i] = Event{Index: uint64(i)}
	}
	if err := b.put(t.Context(), rows...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := b.put(ctx, Event{}); err == nil {
		t.Error("one more event found room in a full buffer")
	}
	b.offer(Line{}) // returns
	b.take(t.Context())
	b.written()
	if err := b.put(t.Context(), Event{}); err != nil {
		t.Errorf("an event once there is room = %v", err)
	}
}
