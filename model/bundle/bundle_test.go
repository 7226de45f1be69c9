package bundle_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

func TestWhatIsWrittenIsReadAsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := bundles().Draw(t, "bundle")
		encoded := bundle.Encode(want)
		got, warnings, err := bundle.Parse("b.yaml", encoded, nil)
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v %v\n%s", warnings, err, encoded)
		}
		if diff := cmp.Diff(want, got, equal); diff != "" {
			t.Errorf("(-written +read):\n%s\n%s", diff, encoded)
		}
	})
}

func TestOverlayingADocumentIsOverlayingAFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, overlay := bundle.Encode(bundles().Draw(t, "base")), bundle.Encode(bundles().Draw(t, "overlay"))
		b, _, err := bundle.Parse("b.yaml", base, nil)
		if err != nil {
			t.Fatal(err)
		}
		byFile, _, err := b.Overlay("o.yaml", overlay, nil)
		if err != nil {
			t.Fatal(err)
		}
		byDocument, _, err := bundle.Parse("b.yaml", append(append(base, "---\n"...), overlay...), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(byFile, byDocument, equal); diff != "" {
			t.Errorf("(-file +document):\n%s", diff)
		}
	})
}

func TestAnOverlayOfABundleMadeInGoIsThatOfItsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		made, overlay := bundles().Draw(t, "bundle"), bundle.Encode(bundles().Draw(t, "overlay"))
		direct, _, err := made.Overlay("o.yaml", overlay, nil)
		if err != nil {
			t.Fatal(err)
		}
		read, _, err := bundle.Parse("b.yaml", bundle.Encode(made), nil)
		if err != nil {
			t.Fatal(err)
		}
		viaText, _, err := read.Overlay("o.yaml", overlay, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(viaText, direct, equal); diff != "" {
			t.Errorf("(-text +made):\n%s", diff)
		}
	})
}

func TestAnOverlayLeavesItsBaseAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, _, err := bundle.Parse("b.yaml", bundle.Encode(bundles().Draw(t, "base")), nil)
		if err != nil {
			t.Fatal(err)
		}
		before := bundle.Encode(b)
		overlay := bundle.Encode(bundles().Draw(t, "overlay"))
		if _, _, err := b.Overlay("o.yaml", overlay, nil); err != nil {
			t.Fatal(err)
		}
		empty, _, err := b.Overlay("o.yaml", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(before), string(bundle.Encode(empty))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAMistakeInAnOverlayIsToldInItsFile(t *testing.T) {
	b := parse(t, "applications: {a: {charm: a}}\n")
	_, _, err := b.Overlay("o.yaml", []byte("applications:\n  a: {scale: x}\n"), nil)
	if want := `o.yaml:2:14: expected a whole number for scale, found the text "x": invalid`; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	merged, _, err := b.Overlay("o.yaml", []byte("relations:\n- [a, bb]\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err, want := merged.Validate(), `o.yaml:2:3: relation [a, bb]: application "bb" is not in this bundle: invalid`; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestPlacementsAreTyped(t *testing.T) {
	tests := map[string]bundle.Placement{
		"0":        {Target: bundle.OnMachine{Machine: "0"}},
		"new":      {Target: bundle.OnNewMachine{}},
		"pg/2":     {Target: bundle.WithUnit{Unit: model.UnitName{Application: "pg", Number: 2}}},
		"pg":       {Target: bundle.WithApplication{Application: "pg"}},
		"lxd:3":    {Container: "lxd", Target: bundle.OnMachine{Machine: "3"}},
		"lxd:new":  {Container: "lxd", Target: bundle.OnNewMachine{}},
		"kvm:pg/0": {Container: "kvm", Target: bundle.WithUnit{Unit: model.UnitName{Application: "pg"}}},
	}
	for text, want := range tests {
		got, err := bundle.ParsePlacement(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: got %#v as %s (%v)", text, got, got, err)
		}
	}
	for _, text := range []string{"", ":", "lxd:", ":0", "LXD:0", "01", "-1", "a/b", "lxd:lxd:0", "0/lxd/0"} {
		if p, err := bundle.ParsePlacement(text); err == nil {
			t.Errorf("%q was read as %#v", text, p)
		}
	}
}

func TestCharmReferences(t *testing.T) {
	tests := map[string]bundle.CharmRef{
		"postgresql": {Name: "postgresql"}, "ch:postgresql": {Name: "postgresql"}, "local:charms/pg": {Path: "charms/pg"},
		"./pg": {Path: "./pg"}, "../pg": {Path: "../pg"}, "/srv/pg": {Path: "/srv/pg"},
	}
	for text, want := range tests {
		got, err := bundle.ParseCharmRef(text)
		again, againErr := bundle.ParseCharmRef(got.String())
		if err != nil || againErr != nil || got != want || again != got || got.IsLocal() != (want.Path != "") {
			t.Errorf("%s: got %#v (%v), again %#v (%v)", text, got, err, again, againErr)
		}
	}
	for _, text := range []string{"", "ch:", "local:", "cs:pg", "http://pg", "PG", "pg-14", "a/b"} {
		if ref, err := bundle.ParseCharmRef(text); err == nil {
			t.Errorf("%q was read as %#v", text, ref)
		}
	}
}

func TestOptionsAndAnnotationsIncludeFiles(t *testing.T) {
	dir := fstest.MapFS{"certs/key.pem": {Data: []byte("KEY\n")}, "blob": {Data: []byte{0xff, 0}}}
	text := `applications:
  a:
    charm: a
    options: {key: "include-file://certs/key.pem", blob: "include-base64://./blob", plain: "file://x"}
    annotations: {note: "include-file://certs/key.pem"}
`
	b, _, err := bundle.Parse("b.yaml", []byte(text), dir)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := b.Application("a")
	want := charm.Settings{"key": charm.StringValue("KEY\n"), "blob": charm.StringValue("/wA="), "plain": charm.StringValue("file://x")}
	if !a.Options.Equal(want) || a.Annotations["note"] != "KEY\n" {
		t.Errorf("options %v, annotations %v", a.Options, a.Annotations)
	}
	mistakes := map[string]string{
		"include-file://nowhere":    `b.yaml:1:43: include "include-file://nowhere": file does not exist: invalid`,
		"include-file://../secret":  `b.yaml:1:43: include "include-file://../secret": expected a path inside the bundle's directory: invalid`,
		"include-file:///etc/issue": `b.yaml:1:43: include "include-file:///etc/issue": expected a path inside the bundle's directory: invalid`,
		"include-file://blob":       `b.yaml:1:43: include "include-file://blob": expected UTF-8 text, found other bytes; use include-base64://: invalid`,
	}
	for value, want := range mistakes {
		_, _, err := bundle.Parse("b.yaml", []byte("applications: {a: {charm: a, options: {k: '"+value+"'}}}"), dir)
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestAnchorsAndMergeKeysAreResolved(t *testing.T) {
	b := parse(t, `
variables:
  common: &common {channel: edge, options: &o {x: 1}}
applications:
  a: {charm: a, <<: *common}
  b: {charm: b, channel: beta, <<: [*common], options: {<<: *o, y: 2}}
`)
	a, _ := b.Application("a")
	second, _ := b.Application("b")
	if a.Channel != "edge" || second.Channel != "beta" || !a.Options.Equal(charm.Settings{"x": charm.IntValue(1)}) ||
		!second.Options.Equal(charm.Settings{"x": charm.IntValue(1), "y": charm.IntValue(2)}) {
		t.Errorf("got %+v and %+v", a, second)
	}
}

func TestAliasesThatMultiplyAreRefused(t *testing.T) {
	text := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'h'; c++ {
		text += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "]\n"
	}
	if _, _, err := bundle.Parse("b.yaml", []byte(text), nil); err == nil || !strings.Contains(err.Error(), "with the aliases expanded") {
		t.Errorf("got %v", err)
	}
}

func TestARelationToManyIsOneToEach(t *testing.T) {
	b := parse(t, "relations: [['a:x', ['b:y', c]]]")
	want := []bundle.Relation{{{Application: "a", Endpoint: "x"}, {Application: "b", Endpoint: "y"}}, {{Application: "a", Endpoint: "x"}, {Application: "c"}}}
	if diff := cmp.Diff(want, b.Relations); diff != "" {
		t.Error(diff)
	}
	merged, _, err := b.Overlay("o.yaml", []byte("applications: {b: }"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[1:], merged.Relations); diff != "" {
		t.Errorf("one of many removed:\n%s", diff)
	}
}

func TestUnknownKeysAtTheTopAndPrivateOnesAreWarnings(t *testing.T) {
	_, warnings, err := bundle.Parse("b.yaml", []byte("servises: {}\nname: x\napplications:\n  a: {charm: a, _repository: r}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.String())
	}
	want := []string{
		`b.yaml:1:1: unknown key "servises" in a bundle; did you mean "series"?; it is ignored`,
		`b.yaml:4:17: private key "_repository" in an application; it is ignored`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatApplyDoesNotDoYetIsRefused(t *testing.T) {
	b := parse(t, `applications:
  a:
    charm: a
    num_units: 1
    to: [lxd:0]
    storage: {data: 1G}
    resources: {tool: 3}
    bindings: {db: alpha}
    devices: {gpu: 1}
    plan: default
machines:
  0:
saas:
  remote: {url: admin/m.o}
---
applications:
  a:
    offers: {o: {endpoints: [x]}}
    exposed-endpoints: {x: {expose-to-spaces: [alpha]}}
`)
	want := `b.yaml:5:10: application "a": not yet supported: containers on machines (lxd:0); remove it to apply the rest: invalid
b.yaml:6:14: application "a": not yet supported: storage; remove it to apply the rest: invalid
b.yaml:7:16: application "a": not yet supported: resources; remove it to apply the rest: invalid
b.yaml:8:15: application "a": not yet supported: bindings; remove it to apply the rest: invalid
b.yaml:9:14: application "a": not yet supported: devices; remove it to apply the rest: invalid
b.yaml:10:11: application "a": not yet supported: plan; remove it to apply the rest: invalid
b.yaml:14:11: saas "remote": not yet supported: offers of other models; remove it to apply the rest: invalid
b.yaml:18:13: application "a": not yet supported: offers; remove it to apply the rest: invalid
b.yaml:19:24: application "a": not yet supported: exposed-endpoints; remove it to apply the rest: invalid`
	err := bundle.Unsupported(b)
	if err == nil {
		t.Fatal("accepted")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	again := parse(t, string(bundle.Encode(b)))
	if diff := cmp.Diff(b, again, equal); diff != "" {
		t.Errorf("it is kept all the same:\n%s", diff)
	}
	if err := bundle.Unsupported(parse(t, "applications: {a: {charm: a, num_units: 1, expose: true}}")); err != nil {
		t.Errorf("refused what is supported: %v", err)
	}
}

func TestCharmsAreHeldAgainstTheBundle(t *testing.T) {
	pg, err := charm.Parse("charm.yaml", []byte("name: postgresql\nsummary: s\nprovides: {database: sql}\nconfig: {options: {max_connections: {type: int}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := charm.Parse("charm.yaml", []byte("name: pgbouncer\nsummary: s\nsubordinate: true\nrequires: {juju-info: {interface: juju-info, scope: container}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	charms := map[bundle.CharmRef]*charm.Charm{{Name: "postgresql"}: pg, {Name: "pgbouncer"}: pool}
	b := parse(t, `applications:
  pg:
    charm: postgresql
    options: {max_connections: lots, max_connection: 3}
  pool:
    charm: pgbouncer
    num_units: 2
  app:
    charm: telemetry
relations:
- [pg:databas, pool:juju-info]
- [pg:juju-info, app:db]
`)
	want := `b.yaml:4:32: application "pg": option "max_connections": expected a whole number, found the text "lots": invalid
b.yaml:4:54: application "pg": unknown option "max_connection"; did you mean "max_connections"?: invalid
b.yaml:7:16: application "pool": expected no num_units and no placement, as "pgbouncer" is subordinate; relate it to its principal: invalid
b.yaml:9:12: application "app": no charm "telemetry"; expected a built-in charm or the path of one: not found
b.yaml:11:3: relation [pg:databas, pool:juju-info]: charm "postgresql" has no endpoint "databas"; did you mean "database"?: invalid`
	err = b.CheckCharms(func(ref bundle.CharmRef) *charm.Charm { return charms[ref] })
	if err == nil {
		t.Fatal("accepted")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestABundleSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := bundles().Draw(t, "bundle")
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got bundle.Bundle
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, &got, equal); diff != "" {
			t.Error(diff)
		}
	})
}

func TestConstraintsAreKeptAsTheyMean(t *testing.T) {
	for _, text := range []string{"arch=0", "tags=0,0M", "cores=0", "mem=0.25M", "mem=1.5T root-disk=4G cores=2 arch=arm64 tags=a,b"} {
		b := parse(t, "applications: {a: {charm: a, constraints: '"+text+"'}}")
		if diff := cmp.Diff(b, parse(t, string(bundle.Encode(b))), equal); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
	for _, text := range []string{"mem=NaN", "mem=Inf", "mem=1e30", "mem=-1"} {
		if _, _, err := bundle.Parse("b.yaml", []byte("applications: {a: {charm: a, constraints: '"+text+"'}}"), nil); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}
