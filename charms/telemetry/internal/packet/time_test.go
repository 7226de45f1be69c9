package packet

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestTimeCountsTAISecondsFrom1958(t *testing.T) {
	for name, test := range map[string]struct {
		utc  time.Time
		want Time
	}{
		"the day after the last leap second is 21,550 days and 37 s": {
			time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC), Time{Coarse: 21_550*86_400 + 37},
		},
		"half a second is the highest bit of the fraction": {
			time.Date(2017, 1, 1, 0, 0, 0, 5e8, time.UTC), Time{Coarse: 21_550*86_400 + 37, Fine: 1 << 23},
		},
		"another zone is the same instant": {
			time.Date(2017, 1, 1, 2, 0, 0, 0, time.FixedZone("", 7200)), Time{Coarse: 21_550*86_400 + 37},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := TimeOf(test.utc)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
	for _, outside := range []time.Time{time.Date(1957, 10, 4, 19, 28, 34, 0, time.UTC), time.Date(2095, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got, err := TimeOf(outside); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%v: %+v with error %v, want it refused", outside, got, err)
		}
	}
}

func TestTimeRoundsDownToItsResolution(t *testing.T) {
	const resolution = time.Second >> fineBits
	rapid.Check(t, func(t *rapid.T) {
		utc := time.Unix(rapid.Int64Range(1_483_228_800, 3_900_000_000).Draw(t, "s"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns"))
		stamp, err := TimeOf(utc)
		if err != nil {
			t.Fatal(err)
		}
		if late := utc.Sub(stamp.UTC()); late < 0 || late > resolution {
			t.Fatalf("%v is stamped %v earlier, want at most %v", utc, late, resolution)
		}
		if again, _ := TimeOf(stamp.UTC()); again != stamp {
			t.Fatalf("%+v comes back as %+v", stamp, again)
		}
	})
}
