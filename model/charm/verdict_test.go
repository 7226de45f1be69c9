package charm_test

import (
	"bytes"
	"testing"

	juju "github.com/juju/charm/v12"

	"github.com/gantry-orchestrator/gantry/model/charm"
)

// jujuMeta is Juju's verdict on metadata: read, and checked as the format that
// its keys show.
func jujuMeta(data []byte) error {
	m, err := juju.ReadMeta(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if m.Assumes != nil || len(m.Containers) > 0 || m.CharmUser != "" {
		return m.Check(juju.FormatV2, juju.SelectionManifest, juju.SelectionBases)
	}
	return m.Check(juju.FormatV1)
}

const leastMetadata = "name: a\nsummary: s\ndescription: d\n"

// metadataVerdicts are inputs on which Juju and we agree, but where differ says why not.
var metadataVerdicts = map[string]struct {
	metadata string
	differ   string // why we mean to differ from Juju, which says the opposite
}{
	"the least":                               {metadata: leastMetadata},
	"no name":                                 {metadata: "summary: s\ndescription: d\n"},
	"no summary":                              {metadata: "name: a\ndescription: d\n"},
	"no description":                          {metadata: "name: a\nsummary: s\n"},
	"a summary that is a number":              {metadata: "name: a\nsummary: 1\ndescription: d\n"},
	"an unknown key":                          {metadata: leastMetadata + "color: red\n"},
	"an endpoint by its interface":            {metadata: leastMetadata + "provides: {db: pgsql}\n"},
	"an endpoint as a map":                    {metadata: leastMetadata + "provides: {db: {interface: pgsql, limit: 2, color: red}}\n"},
	"an endpoint with an empty limit":         {metadata: leastMetadata + "provides: {db: {interface: pgsql, limit: }}\n"},
	"an endpoint without an interface":        {metadata: leastMetadata + "provides: {db: {limit: 2}}\n"},
	"an endpoint of an unknown scope":         {metadata: leastMetadata + "provides: {db: {interface: pgsql, scope: galaxy}}\n"},
	"an endpoint with a limit in words":       {metadata: leastMetadata + "provides: {db: {interface: pgsql, limit: two}}\n"},
	"an endpoint in two sections":             {metadata: leastMetadata + "provides: {db: pgsql}\nrequires: {db: pgsql}\n"},
	"a reserved endpoint":                     {metadata: leastMetadata + "provides: {juju-db: pgsql}\n"},
	"a reserved interface":                    {metadata: leastMetadata + "provides: {db: juju-info}\n"},
	"a requirer of juju-info":                 {metadata: leastMetadata + "requires: {info: juju-info}\n"},
	"a requirer with a reserved name":         {metadata: leastMetadata + "requires: {juju-info: juju-info}\n"},
	"a reserved name in a charm of Juju's":    {metadata: "name: juju-gui\nsummary: s\ndescription: d\nprovides: {juju-db: pgsql}\n"},
	"a subordinate":                           {metadata: leastMetadata + "subordinate: true\nrequires: {juju-info: {interface: juju-info, scope: container}}\n"},
	"a subordinate without its endpoint":      {metadata: leastMetadata + "subordinate: true\nrequires: {info: juju-info}\n"},
	"a flag that is a text":                   {metadata: leastMetadata + "subordinate: perhaps\n"},
	"a storage":                               {metadata: leastMetadata + "storage: {data: {type: filesystem, location: /srv, minimum-size: 10G}}\n"},
	"a storage without a type":                {metadata: leastMetadata + "storage: {data: {location: /srv}}\n"},
	"a storage of an unknown type":            {metadata: leastMetadata + "storage: {data: {type: tape}}\n"},
	"a block storage with a location":         {metadata: leastMetadata + "storage: {data: {type: block, location: /srv}}\n"},
	"a storage of many":                       {metadata: leastMetadata + "storage: {data: {type: block, multiple: {range: 1-3}}}\n"},
	"a storage of any number":                 {metadata: leastMetadata + "storage: {data: {type: block, multiple: {range: 2+}}}\n"},
	"a storage of none":                       {metadata: leastMetadata + "storage: {data: {type: block, multiple: {range: 0}}}\n"},
	"a storage of at most none":               {metadata: leastMetadata + "storage: {data: {type: block, multiple: {range: 0-0}}}\n"},
	"a storage of a wrong size":               {metadata: leastMetadata + "storage: {data: {type: block, minimum-size: big}}\n"},
	"a storage of an unknown property":        {metadata: leastMetadata + "storage: {data: {type: block, properties: [fast]}}\n"},
	"a resource":                              {metadata: leastMetadata + "resources: {tool: {filename: tool.tgz}}\n"},
	"a resource without a filename":           {metadata: leastMetadata + "resources: {tool: {type: file}}\n"},
	"a resource in a directory":               {metadata: leastMetadata + "resources: {tool: {filename: a/b}}\n"},
	"a resource of an unknown type":           {metadata: leastMetadata + "resources: {tool: {type: snap}}\n"},
	"a container":                             {metadata: leastMetadata + "resources: {i: {type: oci-image}}\ncontainers: {web: {resource: i}}\n"},
	"a container without its image":           {metadata: leastMetadata + "containers: {web: {resource: i}}\n"},
	"a container with a mount of nothing":     {metadata: leastMetadata + "containers: {web: {mounts: [{storage: d, location: /d}]}}\n"},
	"extra bindings":                          {metadata: leastMetadata + "extra-bindings: {public: }\n"},
	"no extra bindings":                       {metadata: leastMetadata + "extra-bindings: {}\n"},
	"an extra binding with a body":            {metadata: leastMetadata + "extra-bindings: {public: x}\n"},
	"an extra binding named as an endpoint":   {metadata: leastMetadata + "extra-bindings: {db: }\nprovides: {db: pgsql}\n"},
	"assumptions":                             {metadata: leastMetadata + "assumes: [juju, {any-of: [juju >= 2.9, {all-of: [k8s-api, juju < 4]}]}]\n"},
	"an assumption that cannot be read":       {metadata: leastMetadata + "assumes: [juju = 3]\n"},
	"an assumption of both kinds":             {metadata: leastMetadata + "assumes: [{any-of: [juju], all-of: [juju]}]\n"},
	"an assumption of an unknown kind":        {metadata: leastMetadata + "assumes: [{one-of: [juju]}]\n"},
	"keys of both formats":                    {metadata: leastMetadata + "series: [jammy]\nassumes: [juju]\n"},
	"a user":                                  {metadata: leastMetadata + "charm-user: non-root\n"},
	"an unknown user":                         {metadata: leastMetadata + "charm-user: wheel\n"},
	"a device":                                {metadata: leastMetadata + "devices: {gpu: {type: nvidia.com/gpu, countmin: 1, countmax: 2}}\n"},
	"a device of fewer than none":             {metadata: leastMetadata + "devices: {gpu: {type: gpu, countmin: -1}}\n"},
	"a device of at most fewer than at least": {metadata: leastMetadata + "devices: {gpu: {type: gpu, countmin: 3, countmax: 2}}\n"},

	"an empty section":        {metadata: leastMetadata + "provides:\n", differ: "nothing declared is nothing wrong"},
	"a name in capitals":      {metadata: "name: A\nsummary: s\ndescription: d\n", differ: "Juju refuses it at deployment only"},
	"an endpoint in capitals": {metadata: leastMetadata + "provides: {DB: pgsql}\n", differ: "no relation could name it"},
	"a limit below none":      {metadata: leastMetadata + "provides: {db: {interface: pgsql, limit: -1}}\n", differ: "it has no meaning"},
}

func TestMetadataVerdictsAgreeWithJuju(t *testing.T) {
	for name, test := range metadataVerdicts {
		t.Run(name, func(t *testing.T) {
			theirs := jujuMeta([]byte(test.metadata))
			_, ours := charm.ParseMetadata("metadata.yaml", []byte(test.metadata))
			if agree := (ours == nil) == (theirs == nil); agree != (test.differ == "") {
				t.Errorf("meant to differ: %q\nours: %v\nJuju's: %v", test.differ, ours, theirs)
			}
		})
	}
}

func TestConfigAndActionVerdictsAgreeWithJuju(t *testing.T) {
	tests := map[string]struct {
		config, actions string
		differ          string
	}{
		"options":                                    {config: "options: {a: {type: int, default: 1}, b: {}}"},
		"no options":                                 {config: "options:"},
		"no section of options":                      {config: "option: {}"},
		"an unknown type":                            {config: "options: {a: {type: integer}}"},
		"a default of another type":                  {config: "options: {a: {type: int, default: high}}"},
		"a number as a text":                         {config: "options: {a: {type: string, default: 3}}"},
		"a whole number as a float":                  {config: "options: {a: {type: float, default: 3}}"},
		"an empty text":                              {config: "options: {a: {type: string, default: ''}}"},
		"a secret that is none":                      {config: "options: {a: {type: secret, default: x}}"},
		"actions":                                    {actions: "backup: {description: d, params: {full: {type: boolean}}}\nlook:\n"},
		"an action's name in capitals":               {actions: "Backup: {}"},
		"an action's reserved name":                  {actions: "juju-backup: {}"},
		"an action's name that ends in a dash":       {actions: "backup-: {}"},
		"a description that is a number":             {actions: "backup: {description: 1}"},
		"parameters that are a list":                 {actions: "backup: {params: [a]}"},
		"a parameter of an unknown type":             {actions: "backup: {params: {full: {type: bool}}}"},
		"a required that is a text":                  {actions: "backup: {required: full}"},
		"a reference":                                {actions: "backup: {params: {full: {$ref: x}}}"},
		"an action that runs beside others":          {actions: "backup: {parallel: true, execution-group: g}"},
		"an action that runs beside others, no flag": {actions: "backup: {parallel: 1}"},
		"a default beside its type":                  {actions: "backup: {params: {full: {type: boolean, default: false}}, additionalProperties: false}"},

		"a boolean in words": {config: "options: {a: {type: boolean, default: maybe}}"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var ours, theirs error
			if test.config != "" {
				_, theirs = juju.ReadConfig(bytes.NewReader([]byte(test.config)))
				_, ours = charm.ParseConfig("config.yaml", []byte(test.config))
			} else {
				_, theirs = juju.ReadActionsYaml("a", bytes.NewReader([]byte(test.actions)))
				_, ours = charm.ParseActions("a", "actions.yaml", []byte(test.actions))
			}
			if agree := (ours == nil) == (theirs == nil); agree != (test.differ == "") {
				t.Errorf("meant to differ: %q\nours: %v\nJuju's: %v", test.differ, ours, theirs)
			}
		})
	}
}
