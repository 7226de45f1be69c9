package effect

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/model"
)

// peers are the intents of n units that see each other.
func peers(n int) []Intent {
	var all []Remote
	for i := range n {
		all = append(all, Remote{
			Unit: model.UnitName{Application: "db", Number: i}, Life: model.Alive, Address: fmt.Sprintf("10.0.0.%d", i+1),
			Bag: map[string]string{"said": fmt.Sprintf("by unit %d", i)},
		})
	}
	var set []Intent
	for i := range n {
		in := Intent{Generation: 7, Spec: Spec{Model: "m", Unit: all[i].Unit, Relations: []Relation{
			{ID: 1, Endpoint: "fleet", Remote: "db", Units: slices.Delete(slices.Clone(all), i, i+1)},
			{ID: 2, Endpoint: "nobody", Remote: "none"},
			{ID: 3, Endpoint: "one", Remote: "db", Units: []Remote{all[0]}},
		}}}
		in.Hash = in.Spec.Hash()
		set = append(set, in)
	}
	return set
}

func TestAMessageHoldsEachPeerOnce(t *testing.T) {
	want := Downward{Set: peers(50), Withdrawn: []string{"db/60"}, Beat: &Beat{Serial: 3}, Operation: &Operation{ID: "o"}}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if n := bytes.Count(b, fmt.Appendf(nil, `"by unit %d"`, i)); n != 1 {
			t.Errorf("what unit %d said is %d times in the message", i, n)
		}
	}
	var got Downward
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, in := range got.Set {
		if hash := in.Spec.Hash(); hash != in.Hash {
			t.Errorf("%s: hash %s, not %s", in.Spec.Unit, hash, in.Hash)
		}
	}
}

func TestAMessageThatNamesNoSuchUnitIsRefused(t *testing.T) {
	good, err := json.Marshal(Downward{Set: peers(3)})
	if err != nil {
		t.Fatal(err)
	}
	for name, seen := range map[string]string{
		"a unit beyond the last":      `[[[2,2]]]`,
		"a unit before the first":     `[[[-1,2]]]`,
		"so many that the sum wraps":  `[[[9223372036854775807,2]]]`,
		"nobody":                      `[[[0,0]]]`,
		"units of a fourth relation":  `[[],[],[],[[0,1]]]`,
		"fewer than nobody are meant": `[[[0,-1]]]`,
	} {
		t.Run(name, func(t *testing.T) {
			var d Downward
			bad := strings.Replace(string(good), `"seen":[[[0,2]],[],[[2,1]]]`, `"seen":`+seen, 1)
			if bad == string(good) {
				t.Fatalf("the first intent sees others than expected: %s", good)
			}
			if err := json.Unmarshal([]byte(bad), &d); !errors.Is(err, model.ErrInvalid) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTheHashOfASpecSaysAllOfIt(t *testing.T) {
	base := func() Spec { return peers(3)[0].Spec }
	was := base().Hash()
	if again := base().Hash(); again != was {
		t.Fatalf("equal specs have hashes %s and %s", was, again)
	}
	for name, change := range map[string]func(*Spec){
		"a setting":            func(s *Spec) { s.Config = map[string]any{"a": 1} },
		"a relation's own bag": func(s *Spec) { s.Relations[0].Bag = map[string]string{"a": "b"} },
		"what a peer said":     func(s *Spec) { s.Relations[0].Units[1].Bag["said"] = "more" },
		"where a peer is":      func(s *Spec) { s.Relations[0].Units[0].Address = "10.0.0.9" },
		"that a peer is gone":  func(s *Spec) { s.Relations[0].Units[0].Gone = true },
		"the order of peers":   func(s *Spec) { slices.Reverse(s.Relations[0].Units) },
		"that one is missing":  func(s *Spec) { s.Relations[0].Units = s.Relations[0].Units[1:] },
		"which relation it is in": func(s *Spec) {
			s.Relations[1].Units, s.Relations[2].Units = s.Relations[2].Units, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := base()
			change(&s)
			if s.Hash() == was {
				t.Error("the hash is the same")
			}
		})
	}
}

func TestSpecsThatShareDigestsHaveTheirOwnHash(t *testing.T) {
	shared := map[RemoteKey][sha256.Size]byte{}
	for _, in := range peers(20) {
		if hash := in.Spec.HashWith(shared); hash != in.Hash {
			t.Errorf("%s: %s with digests of others, %s alone", in.Spec.Unit, hash, in.Hash)
		}
	}
	if len(shared) != 20 {
		t.Errorf("%d digests of 20 units", len(shared))
	}
}
