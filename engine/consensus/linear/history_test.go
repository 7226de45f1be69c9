package linear

import (
	"errors"
	"testing"
	"time"
)

func TestAHistoryIsLinearizable(t *testing.T) {
	for name, c := range map[string]struct {
		calls func(h *History)
		want  error
	}{
		"a read sees the write before it": {func(h *History) {
			h.Write(1, "r", "a").Done("")
			h.Read(2, "r").Done("a")
		}, nil},
		"a read misses a write that was acknowledged": {func(h *History) {
			h.Write(1, "r", "a").Done("")
			h.Read(2, "r").Done("")
		}, ErrNotLinearizable},
		"a read beside a write sees either": {func(h *History) {
			w := h.Write(1, "r", "a")
			h.Read(2, "r").Done("")
			h.Read(2, "r").Done("a")
			w.Done("")
		}, nil},
		"a value that was seen does not go again": {func(h *History) {
			w := h.Write(1, "r", "a")
			h.Read(2, "r").Done("a")
			h.Read(2, "r").Done("")
			w.Done("")
		}, ErrNotLinearizable},
		"a write of unknown outcome may take effect late": {func(h *History) {
			h.Write(1, "r", "a").Unknown()
			h.Read(2, "r").Done("")
			h.Read(2, "r").Done("a")
		}, nil},
		"a refused write is never seen": {func(h *History) {
			h.Write(1, "r", "a").Refused()
			h.Read(2, "r").Done("a")
		}, ErrNotLinearizable},
		"registers have nothing to do with each other": {func(h *History) {
			h.Write(1, "r", "a").Done("")
			h.Read(2, "s").Done("")
		}, nil},
		"a read of unknown outcome says nothing": {func(h *History) {
			h.Read(1, "r").Unknown()
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			c.calls(&h)
			if err := h.Check(10 * time.Second); !errors.Is(err, c.want) {
				t.Errorf("%d calls: %v, want %v", h.Len(), err, c.want)
			}
		})
	}
}
