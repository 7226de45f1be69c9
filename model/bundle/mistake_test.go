package bundle_test

import (
	"testing"

	"github.com/gantry-orchestrator/gantry/model/bundle"
)

// mistakes are inputs with all that is said of them.
var mistakes = map[string]struct{ bundle, want string }{
	"text that is not YAML": {
		"applications:\n  a: [\n",
		"b.yaml:2:3: expected YAML: did not find expected node content: invalid",
	},
	"bytes that are not UTF-8": {
		"name: \xff\n",
		"b.yaml:1:7: expected UTF-8 text, found other bytes: invalid",
	},
	"an empty file": {
		"",
		"b.yaml:1:1: expected a bundle, found an empty file: invalid",
	},
	"a list where the bundle must be": {
		"- a\n- b\n",
		"b.yaml:1:1: expected a bundle as a map, found a list: invalid",
	},
	"an anchor that is not there": {
		"applications: *missing\n",
		"b.yaml:1:15: expected YAML: unknown anchor 'missing' referenced: invalid",
	},
	"a key written twice": {
		"applications:\n  a:\n    charm: a\n    charm: b\n",
		`b.yaml:4:5: key "charm" is written twice in this map; keep one: invalid`,
	},
	"a misspelt key of an application": {
		"applications:\n  a:\n    charm: a\n    num_unit: 3\n",
		`b.yaml:4:5: unknown key "num_unit" in an application; did you mean "num_units"?: invalid`,
	},
	"a word that operators use for another key": {
		"applications:\n  a:\n    charm: a\n    config: {x: 1}\n",
		`b.yaml:4:5: unknown key "config" in an application; did you mean "options"?: invalid`,
	},
	"a key that is like no other": {
		"machines:\n  0:\n    zone: a\n",
		`b.yaml:3:5: unknown key "zone" in a machine; expected one of annotations, base, constraints, series: invalid`,
	},
	"an application's name in capitals": {
		"applications:\n  Postgres: {charm: postgresql}\n",
		`b.yaml:2:3: application name "Postgres": expected lower case words joined by dashes, the last not a number: invalid`,
	},
	"an application without a body": {
		"applications:\n  a:\n",
		`b.yaml:2:3: application "a": expected at least a charm, found nothing: invalid`,
	},
	"an application that is a text": {
		"applications:\n  a: postgresql\n",
		`b.yaml:2:6: expected an application as a map, found the text "postgresql": invalid`,
	},
	"an application without a charm": {
		"applications:\n  a: {num_units: 1}\n",
		`b.yaml:2:6: application "a": expected the key "charm", found none: invalid`,
	},
	"a number of units that is a text": {
		"applications:\n  a: {charm: a, num_units: three}\n",
		`b.yaml:2:28: expected a whole number for num_units, found the text "three": invalid`,
	},
	"a negative number of units": {
		"applications:\n  a:\n    charm: a\n    num_units: -1\n",
		`b.yaml:4:16: application "a": expected no fewer than 0 units, found -1: invalid`,
	},
	"num_units beside scale": {
		"applications:\n  a:\n    charm: a\n    num_units: 1\n    scale: 2\n",
		`b.yaml:5:12: application "a": expected num_units or scale, found both: invalid`,
	},
	"a charm of the closed store": {
		"applications:\n  a: {charm: 'cs:~containers/etcd-544'}\n",
		`b.yaml:2:14: charm "cs:~containers/etcd-544": the charm store is closed; expected the name on the hub, such as "etcd": invalid`,
	},
	"a charm of an unknown scheme": {
		"applications:\n  a: {charm: 'loca:./x'}\n",
		`b.yaml:2:14: charm "loca:./x": expected NAME, ch:NAME, local:PATH or ./PATH; did you mean "local"?: invalid`,
	},
	"a revision in the charm's name": {
		"applications:\n  a: {charm: 'ch:etcd-544'}\n",
		`b.yaml:2:14: charm "ch:etcd-544": expected NAME, ch:NAME, local:PATH or ./PATH, the revision and series in keys of their own: invalid`,
	},
	"a revision without a channel": {
		"applications:\n  a: {charm: a, revision: 7}\n",
		`b.yaml:2:27: application "a": expected a channel beside the revision, for later upgrades: invalid`,
	},
	"an unknown constraint": {
		"applications:\n  a:\n    charm: a\n    constraints: memory=4G\n",
		`b.yaml:4:18: constraint "memory=4G": unknown constraint "memory"; did you mean "mem"?: invalid`,
	},
	"a constraint without a value": {
		"applications:\n  a: {charm: a, constraints: cores}\n",
		`b.yaml:2:30: constraint "cores": expected KEY=VALUE such as mem=4G: invalid`,
	},
	"a size that is none": {
		"applications:\n  a: {charm: a, constraints: mem=4X}\n",
		`b.yaml:2:30: constraint "mem=4X": size "4X": expected a number with M, G or T: invalid`,
	},
	"a flag that is a text": {
		"applications:\n  a: {charm: a, expose: maybe}\n",
		`b.yaml:2:25: expected true or false for expose, found the text "maybe": invalid`,
	},
	"an option that is a map": {
		"applications:\n  a:\n    charm: a\n    options:\n      tuning: {x: 1}\n",
		`b.yaml:5:15: option "tuning": expected a text, a number, true or false, found a map: invalid`,
	},
	"an include without a directory": {
		"applications:\n  a: {charm: a, options: {key: 'include-file://key.pem'}}\n",
		`b.yaml:2:32: include "include-file://key.pem": expected a path inside the bundle's directory: invalid`,
	},
	"a placement that cannot be read": {
		"applications:\n  a: {charm: a, num_units: 1, to: [a/b/c]}\n",
		`b.yaml:2:36: placement "a/b/c": expected a machine such as 0, new, an application or its unit such as app/0: invalid`,
	},
	"a placement on a machine that is not declared": {
		"applications:\n  a: {charm: a, num_units: 1, to: [3]}\n",
		`b.yaml:2:36: placement "3": expected a machine under "machines", found none of that number: invalid`,
	},
	"a placement with an application that is not there": {
		"applications:\n  postgresql: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1, to: [postgres/0]}\n",
		`b.yaml:3:36: placement "postgres/0": application "postgres" is not in this bundle; did you mean "postgresql"?: invalid`,
	},
	"a placement with a unit that is not there": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\n  c: {charm: c, num_units: 1, to: [b/1]}\n",
		`b.yaml:4:36: placement "b/1": expected one of the 1 units of b: invalid`,
	},
	"more placements than units": {
		"applications:\n  a: {charm: a, num_units: 1, to: [new, new]}\n",
		`b.yaml:2:35: application "a": expected at most 1 placements, one a unit, found 2: invalid`,
	},
	"a machine that is not a number": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nmachines:\n  db: {}\n",
		`b.yaml:5:3: machine "db": expected a number such as 0: invalid`,
	},
	"a machine that nothing is placed on": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nmachines:\n  0: {}\n",
		"b.yaml:5:6: machine 0: expected a placement that names it, found none; remove it or place a unit there: invalid",
	},
	"a relation of one end": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nrelations:\n- [a]\n",
		"b.yaml:5:3: expected a relation as a list of two endpoints, found a list of 1: invalid",
	},
	"a relation that is a text": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nrelations:\n- a b\n",
		`b.yaml:5:3: expected a relation as a list of two endpoints, found the text "a b": invalid`,
	},
	"an endpoint's name in capitals": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nrelations:\n- ['a:DB', b]\n",
		`b.yaml:5:4: endpoint "a:DB": endpoint name "DB": expected lower case words joined by dashes: invalid`,
	},
	"a relation to an application that is not there": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nrelations:\n- ['a:db', 'bb:db']\n",
		`b.yaml:5:3: relation [a:db, bb:db]: application "bb" is not in this bundle; did you mean "b"?: invalid`,
	},
	"an application related to itself": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nrelations:\n- ['a:x', 'a:y']\n",
		"b.yaml:5:3: relation [a:x, a:y]: expected two applications, found one related to itself: invalid",
	},
	"a relation written twice": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nrelations:\n- [a, b]\n- [b, a]\n",
		"b.yaml:6:3: relation [b, a] is written twice; keep one: invalid",
	},
	"offers outside of an overlay": {
		"applications:\n  a:\n    charm: a\n    offers: {o: {endpoints: [x]}}\n",
		`b.yaml:4:5: application "a": offers may stand in an overlay only; move it behind a line of ---: invalid`,
	},
	"a selector for machines": {
		"applications:\n  a: {charm: a, placement: zone=a}\n",
		`b.yaml:2:28: application "a": placement is for bundles of the type kubernetes; expected the key "to": invalid`,
	},
	"a series that is none": {
		"series: Ubuntu 22\napplications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\n",
		`b.yaml:1:9: series "Ubuntu 22": expected a word such as jammy: invalid`,
	},
	"a base without a channel": {
		"default-base: ubuntu\napplications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\n",
		`b.yaml:1:15: base "ubuntu": expected OS@CHANNEL such as debian@12: invalid`,
	},
	"an unknown type of bundle": {
		"bundle: kubernets\napplications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\n",
		`b.yaml:1:9: bundle type "kubernets": expected kubernetes, or no type for machines: invalid`,
	},
	"a tag of another program": {
		"applications: !vault x\n",
		"b.yaml:1:15: expected a plain value, found the tag !vault: invalid",
	},
	"a saas with a wrong URL": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\nsaas:\n  pg: {url: nowhere}\n",
		`b.yaml:5:13: saas "pg": expected an offer's URL such as admin/model.offer, found "nowhere": invalid`,
	},
	"several mistakes, in the order of their places": {
		"relations:\n- [a]\napplications:\n  a:\n    chram: a\n    num_units: x\n",
		"b.yaml:2:3: expected a relation as a list of two endpoints, found a list of 1: invalid\nb.yaml:5:5: unknown key \"chram\" in an application; did you mean \"charm\"?: invalid\nb.yaml:6:16: expected a whole number for num_units, found the text \"x\": invalid",
	},
	"a mistake behind an alias, told once": {
		"applications:\n  a: &x\n    charm: a\n    units: 1\n  b: *x\n",
		`b.yaml:4:5: unknown key "units" in an application; did you mean "num_units"?: invalid`,
	},
	"a mistake in a second document": {
		"applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\n---\napplications:\n  a: {charm: 'x:y'}\n",
		`b.yaml:6:14: charm "x:y": expected NAME, ch:NAME, local:PATH or ./PATH: invalid`,
	},
}

func TestEveryMistakeIsToldAtItsPlace(t *testing.T) {
	for name, test := range mistakes {
		t.Run(name, func(t *testing.T) {
			b, _, err := bundle.Parse("b.yaml", []byte(test.bundle), nil)
			if err == nil {
				err = b.Validate()
			}
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
