package charm_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	juju "github.com/juju/charm/v12"
	"gopkg.in/yaml.v3"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

// fixtures returns the public charm files of testdata with that suffix; their
// origins and licences are in testdata/SOURCES.txt.
func fixtures(t testing.TB, suffix string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*" + suffix)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures %s: %v", suffix, err)
	}
	files := map[string][]byte{}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(p)] = data
	}
	return files
}

// asJuju turns our metadata into what the oracle's fields say.
func asJuju(m charm.Meta) map[string]any {
	endpoints := map[string]string{}
	for _, e := range m.Endpoints {
		if charm.IsImplicit(e) {
			continue
		}
		b, _ := json.Marshal([]any{e.Role, e.Interface, e.Scope, e.Limit, e.Optional})
		endpoints[string(e.Name)] = string(b)
	}
	storage := map[string]string{}
	for _, s := range m.Storage {
		b, _ := json.Marshal([]any{s.Type, s.Description, s.Shared, s.ReadOnly, s.CountMin, s.CountMax, s.MinimumMiB, s.Location})
		storage[s.Name] = string(b)
	}
	resources := map[string]string{}
	for _, r := range m.Resources {
		resources[r.Name] = strings.Join([]string{r.Type, r.Filename, r.Description}, "|")
	}
	containers := map[string]string{}
	for _, c := range m.Containers {
		b, _ := json.Marshal([]any{c.Resource, len(c.Mounts)})
		containers[c.Name] = string(b)
	}
	bindings := map[string]bool{}
	for _, name := range m.ExtraBindings {
		bindings[name] = true
	}
	return map[string]any{
		"name": string(m.Name), "summary": m.Summary, "description": m.Description, "subordinate": m.Subordinate,
		"series": strings.Join(m.Series, " "), "tags": strings.Join(m.Tags, " "), "assumes": len(m.Assumes),
		"endpoints": endpoints, "storage": storage, "resources": resources, "containers": containers, "bindings": bindings,
	}
}

func fromJuju(m *juju.Meta) map[string]any {
	roles := map[juju.RelationRole]model.Role{juju.RoleProvider: model.Provides, juju.RoleRequirer: model.Requires, juju.RolePeer: model.Peer}
	endpoints := map[string]string{}
	for _, r := range m.CombinedRelations() {
		b, _ := json.Marshal([]any{roles[r.Role], r.Interface, r.Scope, r.Limit, r.Optional})
		endpoints[r.Name] = string(b)
	}
	storage := map[string]string{}
	for _, s := range m.Storage {
		b, _ := json.Marshal([]any{s.Type, s.Description, s.Shared, s.ReadOnly, s.CountMin, s.CountMax, s.MinimumSize, s.Location})
		storage[s.Name] = string(b)
	}
	resources := map[string]string{}
	for _, r := range m.Resources {
		resources[r.Name] = strings.Join([]string{r.Type.String(), r.Path, r.Description}, "|")
	}
	containers := map[string]string{}
	for name, c := range m.Containers {
		b, _ := json.Marshal([]any{c.Resource, len(c.Mounts)})
		containers[name] = string(b)
	}
	bindings := map[string]bool{}
	for name := range m.ExtraBindings {
		bindings[name] = true
	}
	assumes := 0
	if m.Assumes != nil {
		b, _ := json.Marshal(m.Assumes)
		var list []any
		_ = json.Unmarshal(b, &list)
		assumes = len(list)
	}
	return map[string]any{
		"name": m.Name, "summary": m.Summary, "description": m.Description, "subordinate": m.Subordinate,
		"series": strings.Join(m.Series, " "), "tags": strings.Join(m.Tags, " "), "assumes": assumes,
		"endpoints": endpoints, "storage": storage, "resources": resources, "containers": containers, "bindings": bindings,
	}
}

func TestMetadataReadsAsInJuju(t *testing.T) {
	for file, data := range fixtures(t, "metadata.yaml") {
		t.Run(file, func(t *testing.T) {
			want, err := juju.ReadMeta(bytes.NewReader(data))
			if err != nil {
				t.Fatalf("oracle: %v", err)
			}
			got, err := charm.ParseMetadata(file, data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fromJuju(want), asJuju(got)); diff != "" {
				t.Errorf("differs from the oracle (-oracle +ours):\n%s", diff)
			}
		})
	}
}

// describesItself reports whether a charmcraft.yaml is the whole of a charm
// rather than only how it is built.
func describesItself(sections map[string]yaml.Node) bool { _, ok := sections["name"]; return ok }

func TestCharmcraftReadsAsInJuju(t *testing.T) {
	whole := 0
	for file, data := range fixtures(t, "charmcraft.yaml") {
		var sections map[string]yaml.Node
		if err := yaml.Unmarshal(data, &sections); err != nil {
			t.Fatal(err)
		}
		if !describesItself(sections) {
			if _, err := charm.ParseCharmcraft(file, data); err == nil {
				t.Errorf("%s: a build file without a name was read as a charm", file)
			}
			continue
		}
		whole++
		t.Run(file, func(t *testing.T) {
			want, err := juju.ReadMeta(bytes.NewReader(data))
			if err != nil {
				t.Fatalf("oracle: %v", err)
			}
			got, err := charm.ParseCharmcraft(file, data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fromJuju(want), asJuju(got.Meta)); diff != "" {
				t.Errorf("metadata differs from the oracle (-oracle +ours):\n%s", diff)
			}
			compareConfig(t, sections["config"], got.Config)
			compareActions(t, want.Name, sections["actions"], got)
		})
	}
	if whole < 5 {
		t.Errorf("compared %d whole charms, expected at least 5", whole)
	}
}

func compareConfig(t *testing.T, section yaml.Node, got charm.Config) {
	t.Helper()
	if section.IsZero() {
		if len(got.Options) != 0 {
			t.Errorf("options out of nowhere: %v", got.Names())
		}
		return
	}
	data, err := yaml.Marshal(&section)
	if err != nil {
		t.Fatal(err)
	}
	want, err := juju.ReadConfig(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("oracle: %v", err)
	}
	if len(want.Options) != len(got.Options) {
		t.Errorf("%d options, the oracle has %d", len(got.Options), len(want.Options))
	}
	for name, w := range want.Options {
		g, ok := got.Option(name)
		if !ok || string(g.Type) != w.Type || g.Description != w.Description {
			t.Errorf("option %s: %+v, the oracle has %+v", name, g, w)
			continue
		}
		var value any
		if g.Default != nil {
			value = g.Default.Any()
		}
		if value != w.Default {
			t.Errorf("option %s: default %#v, the oracle has %#v", name, value, w.Default)
		}
	}
}

func compareActions(t *testing.T, name string, section yaml.Node, got *charm.Charm) {
	t.Helper()
	data, err := yaml.Marshal(&section)
	if err != nil {
		t.Fatal(err)
	}
	if section.IsZero() {
		data = nil
	}
	want, err := juju.ReadActionsYaml(name, bytes.NewReader(data))
	if err != nil {
		t.Fatalf("oracle: %v", err)
	}
	if len(want.ActionSpecs) != len(got.Actions) {
		t.Errorf("%d actions, the oracle has %d", len(got.Actions), len(want.ActionSpecs))
	}
	for name, w := range want.ActionSpecs {
		g, ok := got.Action(name)
		if !ok || g.Description != w.Description || g.Parallel != w.Parallel || g.ExecutionGroup != w.ExecutionGroup {
			t.Errorf("action %s: %+v, the oracle has %+v", name, g, w)
			continue
		}
		wantSchema, err := json.Marshal(w.Params)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(normal(t, wantSchema), normal(t, g.Schema)); diff != "" {
			t.Errorf("action %s: schema differs (-oracle +ours):\n%s", name, diff)
		}
	}
}

func normal(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
