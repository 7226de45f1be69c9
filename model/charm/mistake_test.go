package charm_test

import (
	"testing"

	"github.com/gantry-orchestrator/gantry/model/charm"
)

// mistakes are inputs with all that is said of them.
var mistakes = map[string]struct{ charm, want string }{
	"text that is not YAML": {
		"name: [\n",
		"charm.yaml:1:1: expected YAML: did not find expected node content: invalid",
	},
	"an empty file": {
		"",
		"charm.yaml:1:1: expected a map, found an empty file: invalid",
	},
	"a list where the charm must be": {
		"- a\n",
		"charm.yaml:1:1: expected a map, found a list: invalid",
	},
	"two documents": {
		"name: a\nsummary: s\n---\nname: b\n",
		"charm.yaml:4:1: expected one document, found another: invalid",
	},
	"neither name nor summary": {
		"description: d\n",
		"charm.yaml:1:1: expected the key \"name\", found none: invalid\ncharm.yaml:1:1: expected the key \"summary\", found none: invalid",
	},
	"a misspelt section": {
		"name: a\nsummary: s\nprovide:\n  db: pgsql\n",
		`charm.yaml:3:1: unknown key "provide" in a charm; did you mean "provides"?: invalid`,
	},
	"a key that is like no other": {
		"name: a\nsummary: s\nzzz: 1\n",
		`charm.yaml:3:1: unknown key "zzz" in a charm; expected one of actions, assumes, bases, categories, charm-user, config, containers, description, devices, display-name, extra-bindings, links, maintainer, maintainers, name, orders, packages, peers, provides, requires, resources, series, software, storage, subordinate, summary, tags, terms, title, type: invalid`,
	},
	"a key written twice": {
		"name: a\nsummary: s\nname: b\n",
		`charm.yaml:3:1: key "name" is written twice in this map; keep one: invalid`,
	},
	"a charm's name in capitals": {
		"name: Postgres\nsummary: s\n",
		`charm.yaml:1:7: charm name "Postgres": expected lower case words joined by dashes, the last not a number: invalid`,
	},
	"a summary that is a number": {
		"name: a\nsummary: 15\n",
		"charm.yaml:2:10: expected a summary, found the number 15: invalid",
	},
	"a description that is a list": {
		"name: a\nsummary: s\ndescription: [a]\n",
		"charm.yaml:3:14: expected a description, found a list: invalid",
	},
	"a flag that is a text": {
		"name: a\nsummary: s\nsubordinate: perhaps\n",
		`charm.yaml:3:14: expected true or false for subordinate, found the text "perhaps": invalid`,
	},
	"a subordinate without its endpoint": {
		"name: a\nsummary: s\nsubordinate: true\nrequires:\n  db: pgsql\n",
		`charm.yaml:3:14: subordinate charm: expected an endpoint with "scope: container", found none: invalid`,
	},
	"an endpoint's name in capitals": {
		"name: a\nsummary: s\nprovides:\n  DB: pgsql\n",
		`charm.yaml:4:3: endpoint name "DB": expected lower case words joined by dashes: invalid`,
	},
	"an endpoint without an interface": {
		"name: a\nsummary: s\nprovides:\n  db: {limit: 1}\n",
		`charm.yaml:4:3: endpoint "db": expected an interface, found none: invalid`,
	},
	"an endpoint in two sections": {
		"name: a\nsummary: s\nprovides:\n  db: pgsql\nrequires:\n  db: pgsql\n",
		`charm.yaml:6:3: endpoint "db" is also under "provides"; give one another name: invalid`,
	},
	"an endpoint with a reserved name": {
		"name: a\nsummary: s\nprovides:\n  juju-db: pgsql\n",
		`charm.yaml:4:3: endpoint name "juju-db" is reserved; expected a name that does not begin with juju: invalid`,
	},
	"an endpoint with a reserved interface": {
		"name: a\nsummary: s\nprovides:\n  db: juju-info\n",
		`charm.yaml:4:7: interface "juju-info" is reserved; expected one that does not begin with juju: invalid`,
	},
	"a misspelt scope": {
		"name: a\nsummary: s\nrequires:\n  db: {interface: pgsql, scope: contaner}\n",
		`charm.yaml:4:33: expected global or container for scope, found the text "contaner"; did you mean "container"?: invalid`,
	},
	"a misspelt key of an endpoint": {
		"name: a\nsummary: s\nrequires:\n  db:\n    interfaces: pgsql\n",
		"charm.yaml:4:3: endpoint \"db\": expected an interface, found none: invalid\ncharm.yaml:5:5: unknown key \"interfaces\" in an endpoint; did you mean \"interface\"?: invalid",
	},
	"a limit below zero": {
		"name: a\nsummary: s\nrequires:\n  db: {interface: pgsql, limit: -1}\n",
		"charm.yaml:4:33: expected a positive number for limit, found -1: invalid",
	},
	"a limit that is a text": {
		"name: a\nsummary: s\nrequires:\n  db: {interface: pgsql, limit: one}\n",
		`charm.yaml:4:33: expected a whole number for limit, found the text "one": invalid`,
	},
	"an unknown type of option": {
		"name: a\nsummary: s\nconfig:\n  options:\n    port: {type: integer}\n",
		`charm.yaml:5:18: expected string, int, float, boolean or secret for type, found the text "integer": invalid`,
	},
	"a default of the wrong type": {
		"name: a\nsummary: s\nconfig:\n  options:\n    port:\n      type: int\n      default: high\n",
		`charm.yaml:7:16: option "port": expected a whole number, found the text "high": invalid`,
	},
	"a default that needs quotes": {
		"name: a\nsummary: s\nconfig:\n  options:\n    version:\n      type: string\n      default: 3.4\n",
		`charm.yaml:7:16: option "version": expected a string, found the number 3.4; write it in quotes: "3.4": invalid`,
	},
	"a default that is no secret's URI": {
		"name: a\nsummary: s\nconfig:\n  options:\n    key: {type: secret, default: swordfish}\n",
		`charm.yaml:5:34: option "key": expected a secret's URI such as "secret:9m4e2mr0ui3e8a215n4g", found the text "swordfish": invalid`,
	},
	"options without their section": {
		"name: a\nsummary: s\nconfig:\n  port: {type: int}\n",
		`charm.yaml:4:3: unknown key "port" in config; expected one of options: invalid`,
	},
	"an action's name in capitals": {
		"name: a\nsummary: s\nactions:\n  Backup: {kind: act}\n",
		`charm.yaml:4:3: action name "Backup": expected lower case letters, digits and dashes, not beginning with juju: invalid`,
	},
	"a misspelt kind of action": {
		"name: a\nsummary: s\nactions:\n  backup: {kind: acts}\n",
		`charm.yaml:4:18: expected query, act or order for kind, found the text "acts"; did you mean "act"?: invalid`,
	},
	"a query that takes a turn": {
		"name: a\nsummary: s\nactions:\n  look: {kind: query, turn: restart}\n",
		`charm.yaml:4:29: action "look": expected a turn only for the kind act, found the kind query: invalid`,
	},
	"an action that opens an unknown order": {
		"name: a\nsummary: s\nactions:\n  restore: {kind: order}\norders:\n  restores: {stages: [a]}\n",
		`charm.yaml:4:12: action "restore": expected an order that is declared under "orders", found "restore"; did you mean "restores"?: invalid`,
	},
	"an act with an order": {
		"name: a\nsummary: s\nactions:\n  restore: {order: restore}\n",
		`charm.yaml:4:20: action "restore": expected an order only for the kind order, found the kind act: invalid`,
	},
	"a parameter of an unknown type": {
		"name: a\nsummary: s\nactions:\n  backup:\n    params:\n      full: {type: bool}\n",
		`charm.yaml:6:20: expected array, boolean, integer, null, number, object or string for type, found the text "bool": invalid`,
	},
	"a parameter that is a text": {
		"name: a\nsummary: s\nactions:\n  backup:\n    params:\n      full: boolean\n",
		`charm.yaml:6:13: expected a parameter's schema as a map, found the text "boolean": invalid`,
	},
	"a schema with a reference": {
		"name: a\nsummary: s\nactions:\n  backup:\n    params:\n      full: {$ref: other}\n",
		`charm.yaml:6:14: expected a schema without "$ref"; write the referred schema here: invalid`,
	},
	"an order without stages": {
		"name: a\nsummary: s\norders:\n  restore: {}\n",
		`charm.yaml:4:3: order "restore": expected stages, found none: invalid`,
	},
	"an order with a stage written twice": {
		"name: a\nsummary: s\norders:\n  restore: {stages: [a, a]}\n",
		`charm.yaml:4:21: order "restore": stage "a" is written twice; keep one: invalid`,
	},
	"a point of no return that is no stage": {
		"name: a\nsummary: s\norders:\n  restore:\n    stages: [verify, wipe]\n    point-of-no-return: wip\n",
		`charm.yaml:6:25: order "restore": expected one of its stages, found "wip"; did you mean "wipe"?: invalid`,
	},
	"a package's name in capitals": {
		"name: a\nsummary: s\npackages: [PostgreSQL]\n",
		`charm.yaml:3:12: package "PostgreSQL": expected a Debian package's name such as postgresql-15: invalid`,
	},
	"packages that are a text": {
		"name: a\nsummary: s\npackages: postgresql\n",
		`charm.yaml:3:11: expected a list of packages, found the text "postgresql": invalid`,
	},
	"a storage without a type": {
		"name: a\nsummary: s\nstorage:\n  data: {location: /srv}\n",
		`charm.yaml:4:3: storage "data": expected a type, filesystem or block, found none: invalid`,
	},
	"a storage with a wrong range": {
		"name: a\nsummary: s\nstorage:\n  data: {type: block, multiple: {range: many}}\n",
		`charm.yaml:4:41: expected a range such as 1, "1-3" or "1-", found the text "many": invalid`,
	},
	"a storage with a wrong size": {
		"name: a\nsummary: s\nstorage:\n  data: {type: block, minimum-size: 1Q}\n",
		`charm.yaml:4:37: expected a size such as 512M or 1G, found the text "1Q": invalid`,
	},
	"a block storage with a location": {
		"name: a\nsummary: s\nstorage:\n  data: {type: block, location: /srv}\n",
		`charm.yaml:4:33: storage "data": expected no location for the type block: invalid`,
	},
	"a resource without a filename": {
		"name: a\nsummary: s\nresources:\n  tool: {type: file}\n",
		`charm.yaml:4:3: resource "tool": expected a filename without slashes, found "": invalid`,
	},
	"an assumption that cannot be read": {
		"name: a\nsummary: s\nassumes:\n- juju > 3\n",
		`charm.yaml:4:3: expected a feature such as "juju >= 3.1", found the text "juju > 3": invalid`,
	},
	"an assumption of both kinds": {
		"name: a\nsummary: s\nassumes:\n- {any-of: [juju], all-of: [juju]}\n",
		`charm.yaml:4:3: expected one of "any-of" and "all-of", found 2 keys: invalid`,
	},
	"an extra binding with a body": {
		"name: a\nsummary: s\nextra-bindings:\n  public: {}\n",
		`charm.yaml:4:11: extra binding "public": expected nothing after the colon, found a map: invalid`,
	},
	"an extra binding named as an endpoint": {
		"name: a\nsummary: s\nprovides:\n  db: pgsql\nextra-bindings:\n  db:\n",
		`charm.yaml:6:3: extra binding "db" is the name of an endpoint; give it another name: invalid`,
	},
	"a container without its image": {
		"name: a\nsummary: s\ncontainers:\n  web: {resource: image}\n",
		`charm.yaml:4:19: expected a resource of the type oci-image, found "image": invalid`,
	},
	"an unknown user": {
		"name: a\nsummary: s\ncharm-user: wheel\n",
		`charm.yaml:3:13: expected root, sudoer or non-root for charm-user, found the text "wheel": invalid`,
	},
	"several mistakes, in the order of their places": {
		"name: a\nsummary: s\nconfig:\n  options:\n    port: {type: intt}\nprovides:\n  db:\ntag: []\n",
		"charm.yaml:5:18: expected string, int, float, boolean or secret for type, found the text \"intt\"; did you mean \"int\"?: invalid\ncharm.yaml:7:3: endpoint \"db\": expected an interface, found none: invalid\ncharm.yaml:8:1: unknown key \"tag\" in a charm; did you mean \"tags\"?: invalid",
	},
}

func TestEveryMistakeIsToldAtItsPlace(t *testing.T) {
	for name, test := range mistakes {
		t.Run(name, func(t *testing.T) {
			_, err := charm.Parse("charm.yaml", []byte(test.charm))
			if err == nil {
				t.Fatal("accepted")
			}
			if err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
