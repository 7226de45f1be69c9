package charm_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

var config = charm.Config{Options: []charm.Option{
	{Name: "key", Type: charm.SecretOption},
	{Name: "port", Type: charm.IntOption},
	{Name: "profile", Type: charm.StringOption},
	{Name: "ratio", Type: charm.FloatOption},
	{Name: "strict", Type: charm.BooleanOption},
}}

func TestCoerceGivesAValueTheTypeOfItsOption(t *testing.T) {
	text, whole, real, truth := charm.StringValue, charm.IntValue, charm.FloatValue, charm.BoolValue
	tests := map[string]struct {
		option      string
		value, want charm.Value
		fails       string
	}{
		"a text stays a text":                       {"profile", text("x"), text("x"), ""},
		"a number is no text":                       {"profile", real(3.4), text(""), `option "profile": expected a string, found the number 3.4; write it in quotes: "3.4": invalid`},
		"a boolean is no text":                      {"profile", truth(true), text(""), `option "profile": expected a string, found the boolean true; write it in quotes: "true": invalid`},
		"a whole number stays one":                  {"port", whole(7), whole(7), ""},
		"a text that is a whole number becomes one": {"port", text("-7"), whole(-7), ""},
		"a fraction is no whole number":             {"port", real(7.5), text(""), `option "port": expected a whole number, found the number 7.5: invalid`},
		"a number past 64 bits is refused":          {"port", text("9223372036854775808"), text(""), `option "port": expected a whole number, found the text "9223372036854775808": invalid`},
		"a whole number is a number":                {"ratio", whole(2), real(2), ""},
		"a text that is a number becomes one":       {"ratio", text("2.5"), real(2.5), ""},
		"infinity is no number":                     {"ratio", text("inf"), text(""), `option "ratio": expected a number, found the text "inf": invalid`},
		"not a number is no number":                 {"ratio", text("NaN"), text(""), `option "ratio": expected a number, found the text "NaN": invalid`},
		"a boolean is no number":                    {"ratio", truth(true), text(""), `option "ratio": expected a number, found the boolean true: invalid`},
		"yes is true":                               {"strict", text("yes"), truth(true), ""},
		"off is false":                              {"strict", text("Off"), truth(false), ""},
		"a boolean stays one":                       {"strict", truth(true), truth(true), ""},
		"a number is no boolean":                    {"strict", whole(1), text(""), `option "strict": expected true or false, found the number 1: invalid`},
		"a secret's URI":                            {"key", text("secret:abc"), text("secret:abc"), ""},
		"no secret":                                 {"key", text(""), text(""), ""},
		"a password is no secret's URI":             {"key", text("hunter2"), text(""), `option "key": expected a secret's URI such as "secret:9m4e2mr0ui3e8a215n4g", found the text "hunter2": invalid`},
		"an unknown option":                         {"profil", text("x"), text(""), `unknown option "profil"; did you mean "profile"?: invalid`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := config.Coerce(test.option, test.value)
			if test.fails != "" {
				if err == nil || err.Error() != test.fails {
					t.Fatalf("got  %v\nwant %s", err, test.fails)
				}
				if model.Class(err) != model.ErrInvalid {
					t.Errorf("class %v", model.Class(err))
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %v (%v), want %v", got, err, test.want)
			}
		})
	}
}

func TestValidateTellsEveryWrongOption(t *testing.T) {
	_, err := config.Parse(map[string]string{"port": "x", "strict": "y", "profile": "ok", "zzzzzz": "1"})
	want := "option \"port\": expected a whole number, found the text \"x\": invalid\n" +
		"option \"strict\": expected true or false, found the text \"y\": invalid\n" +
		"unknown option \"zzzzzz\": invalid"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestSettingsLieOverDefaults(t *testing.T) {
	five := charm.IntValue(5)
	c := charm.Config{Options: []charm.Option{{Name: "a", Type: charm.IntOption, Default: &five}, {Name: "b", Type: charm.IntOption, Default: &five}, {Name: "c", Type: charm.IntOption}}}
	got := c.WithDefaults(charm.Settings{"b": charm.IntValue(6)})
	if !got.Equal(charm.Settings{"a": five, "b": charm.IntValue(6)}) {
		t.Errorf("got %v", got)
	}
	if !c.Defaults().Equal(charm.Settings{"a": five, "b": five}) {
		t.Errorf("defaults were changed: %v", c.Defaults())
	}
}

func values() *rapid.Generator[charm.Value] {
	return rapid.OneOf(
		rapid.Map(rapid.String(), charm.StringValue),
		rapid.Map(rapid.Int64(), charm.IntValue),
		rapid.Map(rapid.Float64().Filter(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }), charm.FloatValue),
		rapid.Map(rapid.Bool(), charm.BoolValue),
	)
}

func TestValuesSurviveJSONWithTheirType(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := values().Draw(t, "value")
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got charm.Value
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got != want || got.Kind() != want.Kind() {
			t.Errorf("%s: got %#v, want %#v", data, got, want)
		}
		again, err := json.Marshal(got)
		if err != nil || string(again) != string(data) {
			t.Errorf("encoded as %s and then as %s", data, again)
		}
	})
}

func TestJSONThatIsNoValueIsRefused(t *testing.T) {
	for _, data := range []string{`null`, `[1]`, `{"a":1}`, `12345678901234567890`, `1e999`} {
		var v charm.Value
		if err := json.Unmarshal([]byte(data), &v); err == nil && data != "null" {
			t.Errorf("%s was read as %v", data, v)
		}
	}
}

func TestEqualFloatsHaveEqualBytes(t *testing.T) {
	a, _ := json.Marshal(charm.FloatValue(0))
	b, _ := json.Marshal(charm.FloatValue(math.Copysign(0, -1)))
	if diff := cmp.Diff(string(a), string(b)); diff != "" {
		t.Error(diff)
	}
}
