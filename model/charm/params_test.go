package charm_test

import (
	"testing"

	"github.com/gantry-orchestrator/gantry/model/charm"
)

func TestParametersTakeTheTypesOfTheirSchema(t *testing.T) {
	actions, err := charm.ParseActions("a", "actions.yaml", []byte(`
backup:
  params:
    full: {type: boolean, default: false}
    kind: {type: string, enum: [full, incremental]}
    level: {type: integer}
    ratio: {type: number}
    tables: {type: array}
    note: {}
  required: [kind]
open:
  additionalProperties: true
`))
	if err != nil {
		t.Fatal(err)
	}
	backup, open := actions[0], actions[1]
	tests := map[string]struct {
		action charm.Action
		texts  map[string]string
		want   string
		fails  string
	}{
		"all of them": {
			backup,
			map[string]string{"full": "true", "kind": "full", "level": "3", "ratio": "0.5", "tables": `["a"]`, "note": "7"},
			`{"full":true,"kind":"full","level":3,"note":"7","ratio":0.5,"tables":["a"]}`, "",
		},
		"a default where none is given": {backup, map[string]string{"kind": "full"}, `{"full":false,"kind":"full"}`, ""},
		"a required one is missing":     {backup, nil, "", `action "backup": expected the parameter "kind", found none: invalid`},
		"a word that is none of them":   {backup, map[string]string{"kind": "half"}, "", `action "backup": parameter "kind": expected one of ["full" "incremental"], found "half": invalid`},
		"every mistake": {
			backup,
			map[string]string{"kind": "full", "level": "x", "ratoi": "1", "tables": "{}"},
			"",
			"action \"backup\": parameter \"level\": expected integer, found \"x\": invalid\n" +
				"action \"backup\": unknown parameter \"ratoi\"; did you mean \"ratio\"?: invalid\n" +
				"action \"backup\": parameter \"tables\": expected array, found \"{}\": invalid",
		},
		"infinity":                        {backup, map[string]string{"kind": "full", "ratio": "inf"}, "", `action "backup": parameter "ratio": expected number, found "inf": invalid`},
		"any, where the schema takes any": {open, map[string]string{"x": "1"}, `{"x":"1"}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := test.action.Params(test.texts)
			if test.fails != "" {
				if err == nil || err.Error() != test.fails {
					t.Errorf("got  %v\nwant %s", err, test.fails)
				}
				return
			}
			if err != nil || string(got) != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
		})
	}
}

func TestParametersThatNobodyDeclaredAreRefused(t *testing.T) {
	actions, err := charm.ParseActions("a", "actions.yaml", []byte("look:\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := actions[0].Params(map[string]string{"x": "1"}); err == nil {
		t.Errorf("got %s", got)
	}
}

func TestTypedParametersAreHeldToTheirSchema(t *testing.T) {
	actions, err := charm.ParseActions("a", "actions.yaml", []byte(`
backup:
  params:
    full: {type: boolean, default: false}
    kind: {type: string, enum: [full, incremental]}
    level: {type: integer}
    ratio: {type: number}
    tables: {type: array}
    note: {}
  required: [kind]
`))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"full": true, "kind": "full", "level": int64(3), "ratio": 2, "tables": []any{"a"}, "note": map[string]any{"a": 1}}
	if err := actions[0].Check(all); err != nil {
		t.Errorf("all of them: %v", err)
	}
	err = actions[0].Check(map[string]any{"knid": "full", "level": 0.5, "full": "yes"})
	want := "action \"backup\": parameter \"full\": expected boolean, found \"yes\": invalid\n" +
		"action \"backup\": unknown parameter \"knid\"; did you mean \"kind\"?: invalid\n" +
		"action \"backup\": parameter \"level\": expected integer, found 0.5: invalid\n" +
		"action \"backup\": expected the parameter \"kind\", found none: invalid"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
