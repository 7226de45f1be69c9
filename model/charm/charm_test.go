package charm_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

const database = `
name: database
title: A database
summary: keeps rows
description: |
  Keeps rows,
  and keeps them well.
subordinate: false
provides:
  database: {interface: sql_client}
requires:
  certificates: {interface: tls-certificates, limit: 1, optional: true}
peers:
  members: database_peers
storage:
  data: {type: filesystem, minimum-size: 1.5G, multiple: {range: 1-}}
assumes: [gantry >= 1.0]
bases: [debian@12]
packages: [postgresql-15, patroni]
config:
  options:
    ratio: {type: float, default: 2}
    port: {type: int, default: 5432, description: where to listen}
    strict: {type: boolean, default: no}
    profile: {default: production}
    password: {type: secret}
actions:
  list-backups: {kind: query, description: Lists backups.}
  create-backup:
    turn: backup
    params:
      full: {type: boolean, default: false}
    required: [full]
    additionalProperties: false
  restore: {kind: order}
orders:
  restore:
    description: Puts back a backup.
    stages: [verify, stop, wipe, found, check]
    point-of-no-return: wipe
`

func TestCharmYAMLHoldsAWholeCharm(t *testing.T) {
	got, err := charm.Parse("charm.yaml", []byte(database))
	if err != nil {
		t.Fatal(err)
	}
	value := func(v charm.Value) *charm.Value { return &v }
	want := &charm.Charm{
		Meta: charm.Meta{
			Name: "database", Title: "A database", Summary: "keeps rows", Description: "Keeps rows,\nand keeps them well.\n",
			Endpoints: []model.Endpoint{
				{Name: "certificates", Interface: "tls-certificates", Role: model.Requires, Scope: model.GlobalScope, Limit: 1, Optional: true},
				{Name: "database", Interface: "sql_client", Role: model.Provides, Scope: model.GlobalScope},
				charm.JujuInfo,
				{Name: "members", Interface: "database_peers", Role: model.Peer, Scope: model.GlobalScope},
			},
			Storage: []charm.Storage{{Name: "data", Type: "filesystem", CountMin: 1, CountMax: -1, MinimumMiB: 1536}},
			Assumes: []charm.Assumption{{Feature: "gantry", Bound: ">=", Version: "1.0"}},
			Bases:   []string{"debian@12"},
		},
		Config: charm.Config{Options: []charm.Option{
			{Name: "password", Type: charm.SecretOption},
			{Name: "port", Type: charm.IntOption, Description: "where to listen", Default: value(charm.IntValue(5432))},
			{Name: "profile", Type: charm.StringOption, Default: value(charm.StringValue("production"))},
			{Name: "ratio", Type: charm.FloatOption, Default: value(charm.FloatValue(2))},
			{Name: "strict", Type: charm.BooleanOption, Default: value(charm.BoolValue(false))},
		}},
		Actions: []charm.Action{
			{Name: "create-backup", Description: "No description", Kind: charm.Act, Turn: "backup", Schema: json.RawMessage(
				`{"additionalProperties":false,"description":"No description","properties":{"full":{"default":false,"type":"boolean"}},"required":["full"],"title":"create-backup","type":"object"}`)},
			{Name: "list-backups", Description: "Lists backups.", Kind: charm.Query, Schema: json.RawMessage(
				`{"description":"Lists backups.","properties":{},"title":"list-backups","type":"object"}`)},
			{Name: "restore", Description: "No description", Kind: charm.Start, Order: "restore", Schema: json.RawMessage(
				`{"description":"No description","properties":{},"title":"restore","type":"object"}`)},
		},
		Orders: []charm.Order{{
			Name: "restore", Description: "Puts back a backup.",
			Stages: []string{"verify", "stop", "wipe", "found", "check"}, PointOfNoReturn: "wipe",
		}},
		Packages: []string{"postgresql-15", "patroni"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(charm.Value{})); diff != "" {
		t.Error(diff)
	}
}

func TestACharmSurvivesItsEncodings(t *testing.T) {
	want, err := charm.Parse("charm.yaml", []byte(database))
	if err != nil {
		t.Fatal(err)
	}
	codecs := map[string]struct {
		marshal   func(any) ([]byte, error)
		unmarshal func([]byte, any) error
	}{"JSON": {json.Marshal, json.Unmarshal}, "CBOR": {cbor.Marshal, cbor.Unmarshal}}
	for name, codec := range codecs {
		t.Run(name, func(t *testing.T) {
			data, err := codec.marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var got charm.Charm
			if err := codec.unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*want, got, cmp.AllowUnexported(charm.Value{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnOrderIsCancellableBeforeItsPointOfNoReturn(t *testing.T) {
	o := charm.Order{Stages: []string{"verify", "wipe", "check"}, PointOfNoReturn: "wipe"}
	for stage, want := range map[string]bool{"verify": true, "wipe": false, "check": false, "unknown": false} {
		if got := o.Cancellable(stage); got != want {
			t.Errorf("%s: %v, want %v", stage, got, want)
		}
	}
	o.PointOfNoReturn = ""
	if !o.Cancellable("check") {
		t.Error("an order without the point can be cancelled in its last stage")
	}
}

func TestJujuInfoIsImplicitUnlessDeclared(t *testing.T) {
	meta, err := charm.ParseMetadata("metadata.yaml", []byte(
		"name: a\nsummary: s\ndescription: d\nsubordinate: true\nrequires:\n  juju-info: {interface: juju-info, scope: container}\n"))
	if err != nil {
		t.Fatal(err)
	}
	e, ok := meta.Endpoint("juju-info")
	if !ok || e.Role != model.Requires || e.Scope != model.ContainerScope || len(meta.Endpoints) != 1 {
		t.Errorf("a declared juju-info stays alone: %v", meta.Endpoints)
	}
	meta, err = charm.ParseMetadata("metadata.yaml", []byte("name: a\nsummary: s\ndescription: d\n"))
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := meta.Endpoint("juju-info"); !ok || !charm.IsImplicit(e) || e.Role != model.Provides {
		t.Errorf("every charm provides juju-info: %v", meta.Endpoints)
	}
}

func TestReadTakesTheFormThatADirectoryHas(t *testing.T) {
	meta := "summary: s\ndescription: d\n"
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	tests := map[string]struct {
		files   fstest.MapFS
		name    model.CharmName
		options string
		actions int
		fails   string
	}{
		"charm.yaml comes first": {
			files: fstest.MapFS{"charm.yaml": file("name: ours\nsummary: s\n"), "metadata.yaml": file("name: theirs\n" + meta)},
			name:  "ours",
		},
		"three files of Juju": {
			files: fstest.MapFS{"metadata.yaml": file("name: a\n" + meta), "config.yaml": file("options: {x: {}}"), "actions.yaml": file("go: {}\nstop:\n")},
			name:  "a", options: "x", actions: 2,
		},
		"metadata alone": {files: fstest.MapFS{"metadata.yaml": file("name: a\n" + meta)}, name: "a"},
		"charmcraft.yaml alone": {
			files: fstest.MapFS{"charmcraft.yaml": file("name: a\n" + meta + "config: {options: {y: {}}}\nparts: {}\n")}, name: "a", options: "y",
		},
		"charmcraft.yaml gives what metadata leaves to it": {
			files: fstest.MapFS{"metadata.yaml": file("name: a\n" + meta), "charmcraft.yaml": file("type: charm\nconfig: {options: {y: {}}}\nactions: {go: {}}\n")},
			name:  "a", options: "y", actions: 1,
		},
		"config.yaml comes before charmcraft.yaml": {
			files: fstest.MapFS{"metadata.yaml": file("name: a\n" + meta), "charmcraft.yaml": file("config: {options: {y: {}}}\n"), "config.yaml": file("options: {x: {}}")},
			name:  "a", options: "x",
		},
		"an empty directory": {
			files: fstest.MapFS{}, fails: `charm in "charms/a": expected charm.yaml, metadata.yaml or charmcraft.yaml, found none: not found`,
		},
		"mistakes in two files are both told": {
			files: fstest.MapFS{"metadata.yaml": file("name: A\n" + meta), "config.yaml": file("x: 1")},
			fails: "charms/a/metadata.yaml:1:7: charm name \"A\": expected lower case words joined by dashes, the last not a number: invalid\n" +
				"charms/a/config.yaml:1:1: expected the key \"options\", found none: invalid",
		},
		"a build file that is not YAML": {
			files: fstest.MapFS{"metadata.yaml": file("name: a\n" + meta), "charmcraft.yaml": file("[")},
			fails: "charms/a/charmcraft.yaml:1:1: expected YAML: did not find expected node content: invalid",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := charm.Read("charms/a", test.files)
			if test.fails != "" {
				if err == nil || err.Error() != test.fails {
					t.Fatalf("got  %v\nwant %s", err, test.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Meta.Name != test.name || strings.Join(c.Config.Names(), " ") != test.options || len(c.Actions) != test.actions {
				t.Errorf("read %s with options %v and %d actions", c.Meta.Name, c.Config.Names(), len(c.Actions))
			}
		})
	}
}

func TestASubordinateJoinsItsPrincipalAsProviderInCharmYAMLOnly(t *testing.T) {
	text := []byte("name: a\nsummary: s\ndescription: d\nsubordinate: true\nprovides:\n  db: {interface: sql, scope: container}\n")
	if _, err := charm.Parse("charm.yaml", text); err != nil {
		t.Error(err)
	}
	want := `metadata.yaml:4:14: subordinate charm: expected an endpoint under "requires" with "scope: container", found none: invalid`
	if _, err := charm.ParseMetadata("metadata.yaml", text); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
