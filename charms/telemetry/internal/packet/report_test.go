package packet

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestReportLaysOutSpacecraftCountAndParameters(t *testing.T) {
	r := Report{Spacecraft: 0x0102, Parameters: []Parameter{{ID: 7, Value: 1}, {ID: 0xFFFF, Value: -2}}}
	want := octets(t, "0102 0002 0007 3ff0000000000000 ffff c000000000000000")
	if got := AppendReport(nil, r); !bytes.Equal(got, want) {
		t.Errorf("% x, want % x", got, want)
	}
}

func TestDecodeReportUndoesAppendReport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Report{Spacecraft: rapid.Uint16().Draw(t, "spacecraft")}
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			r.Parameters = append(r.Parameters, Parameter{rapid.Uint16().Draw(t, "id"), rapid.Float64().Draw(t, "value")})
		}
		b := AppendReport(nil, r)
		back, err := DecodeReport(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Fatal(diff)
		}
		for _, cut := range [][]byte{b[:len(b)-1], append(b, 0)} {
			if _, err := DecodeReport(cut); !errors.Is(err, model.ErrInvalid) {
				t.Fatalf("%d octets instead of %d: error %v, want it refused", len(cut), len(b), err)
			}
		}
	})
}
