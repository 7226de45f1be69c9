package bundle_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	juju "github.com/juju/charm/v12"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/bundle"
)

// fixtures returns the public bundles of testdata; their origins and licences
// are in testdata/SOURCES.txt.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
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

// oracle reads and merges the files as Juju does with --force: lenient about
// unknown keys.
func oracle(files ...[]byte) (*juju.BundleData, error) {
	var sources []juju.BundleDataSource
	for _, data := range files {
		source, err := juju.StreamBundleDataSource(bytes.NewReader(data), "")
		if err != nil {
			return nil, err
		}
		sources = append(sources, source)
	}
	return juju.ReadAndMergeBundleData(sources...)
}

// strictOracle gives Juju's verdict on deploying a file without --force.
func strictOracle(data []byte) error {
	source, err := juju.StreamBundleDataSource(bytes.NewReader(data), "")
	if err != nil {
		return err
	}
	for _, part := range source.Parts() {
		if part.UnmarshallError != nil {
			return part.UnmarshallError
		}
	}
	b, err := juju.ReadAndMergeBundleData(source)
	if err != nil {
		return err
	}
	parses := func(s string) error {
		_, err := model.ParseConstraints(s)
		return err
	}
	return b.Verify(parses, nil, nil)
}

func flatten(b *bundle.Bundle) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	add("bundle %q series %q base %q tags %q", b.Type, b.Series, b.DefaultBase, b.Tags)
	for _, a := range b.Applications {
		to := make([]string, len(a.To))
		for i, p := range a.To {
			to[i] = p.String()
		}
		if a.Selector != "" {
			to = []string{a.Selector}
		}
		add("app %s charm %q channel %q revision %v series %q base %q units %d to %v expose %v trust %v plan %q", a.Name, a.Charm,
			a.Channel, deref(a.Revision), a.Series, a.Base, a.UnitCount(), to, deref(a.Expose), deref(a.Trust), a.Plan)
		for name, v := range a.Options {
			add("option %s %s %v", a.Name, name, v.Any())
		}
		for kind, m := range map[string]map[string]string{"annotation": a.Annotations, "storage": a.Storage, "device": a.Devices, "binding": a.Bindings} {
			for k, v := range m {
				add("%s %s %s %s", kind, a.Name, k, v)
			}
		}
		for name, r := range a.Resources {
			add("resource %s %s %v%s", a.Name, name, deref(r.Revision), r.Path)
		}
		for name, o := range a.Offers {
			add("offer %s %s %v %v", a.Name, name, o.Endpoints, o.ACL)
		}
		for name, e := range a.ExposedEndpoints {
			add("exposed %s %s %v %v", a.Name, name, e.Spaces, e.CIDRs)
		}
		add("constraints %s %s", a.Name, constraints(a.Constraints))
	}
	for _, m := range b.Machines {
		add("machine %s %q %q %s", m.Name, m.Series, m.Base, constraints(m.Constraints))
	}
	for _, s := range b.SAAS {
		add("saas %s %s", s.Name, s.URL)
	}
	for _, r := range b.Relations {
		add("relation %s %s", r[0], r[1])
	}
	slices.Sort(lines)
	return lines
}

func constraints(c *model.Constraints) string {
	if c == nil {
		return ""
	}
	return c.String()
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func flattenOracle(t *testing.T, b *juju.BundleData) []string {
	t.Helper()
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	add("bundle %q series %q base %q tags %q", b.Type, b.Series, b.DefaultBase, b.Tags)
	normal := func(s string) string {
		c, err := model.ParseConstraints(s)
		if err != nil {
			t.Fatal(err)
		}
		return c.String()
	}
	for name, a := range b.Applications {
		to := append([]string{}, a.To...)
		add("app %s charm %q channel %q revision %v series %q base %q units %d to %v expose %v trust %v plan %q", name,
			strings.TrimPrefix(a.Charm, "ch:"), a.Channel, deref(a.Revision), a.Series, a.Base, a.NumUnits, to, a.Expose, a.RequiresTrust, a.Plan)
		for option, v := range a.Options {
			if v != nil {
				add("option %s %s %v", name, option, v)
			}
		}
		for kind, m := range map[string]map[string]string{"annotation": a.Annotations, "storage": a.Storage, "device": a.Devices, "binding": a.EndpointBindings} {
			for k, v := range m {
				add("%s %s %s %s", kind, name, k, v)
			}
		}
		for resource, v := range a.Resources {
			if revision, ok := v.(int); ok {
				add("resource %s %s %v", name, resource, revision)
				continue
			}
			add("resource %s %s 0%v", name, resource, v)
		}
		for offer, o := range a.Offers {
			add("offer %s %s %v %v", name, offer, o.Endpoints, o.ACL)
		}
		for endpoint, e := range a.ExposedEndpoints {
			add("exposed %s %s %v %v", name, endpoint, e.ExposeToSpaces, e.ExposeToCIDRs)
		}
		add("constraints %s %s", name, normal(a.Constraints))
	}
	for name, m := range b.Machines {
		if m == nil {
			m = &juju.MachineSpec{}
		}
		add("machine %s %q %q %s", name, m.Series, m.Base, normal(m.Constraints))
	}
	for name, s := range b.Saas {
		add("saas %s %s", name, s.URL)
	}
	for _, r := range b.Relations {
		add("relation %s %s", r[0], r[1])
	}
	slices.Sort(lines)
	return lines
}

// refused are the fixtures that we refuse to read and Juju's library reads,
// with what we say. Juju drops what it does not know and leaves the operator
// to find out.
var refused = map[string]string{
	"canonical_postgresql-bundle__releases_latest_postgresql-bundle.yaml": `:19:5: unknown key "config" in an application; did you mean "options"?: invalid`,
	"canonical_cos-lite-bundle__overlays_offers-overlay.yaml":             `offers may stand in an overlay only`,
}

func TestFixturesReadAsInJuju(t *testing.T) {
	for file, data := range fixtures(t) {
		t.Run(file, func(t *testing.T) {
			got, _, err := bundle.Parse(file, data, nil)
			if message, ok := refused[file]; ok {
				if err == nil || !strings.Contains(err.Error(), message) {
					t.Fatalf("expected to be refused with %q, got %v", message, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want, wantErr := oracle(data)
			if wantErr != nil {
				t.Fatalf("oracle: %v", wantErr)
			}
			if diff := cmp.Diff(flattenOracle(t, want), flatten(got)); diff != "" {
				t.Errorf("differs from the oracle (-oracle +ours):\n%s", diff)
			}
			ours, theirs := got.Validate(), want.Verify(nil, nil, nil)
			if (ours == nil) != (theirs == nil) {
				t.Errorf("verdict %v, the oracle's is %v", ours, theirs)
			}
		})
	}
}

func TestTheRefusedPostgreSQLBundleReadsOnceItsKeyIsCorrected(t *testing.T) {
	file := "canonical_postgresql-bundle__releases_latest_postgresql-bundle.yaml"
	data := bytes.Replace(fixtures(t)[file], []byte("    config:\n"), []byte("    options:\n"), 1)
	got, warnings, err := bundle.Parse(file, data, nil)
	if err != nil || len(warnings) != 0 {
		t.Fatal(warnings, err)
	}
	want, err := oracle(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(flattenOracle(t, want), flatten(got)); diff != "" {
		t.Errorf("differs from the oracle (-oracle +ours):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
}

// cosLite stands for the bundle that the fixtures' overlays were written for.
const cosLite = `
bundle: kubernetes
applications:
  alertmanager: {charm: alertmanager-k8s, scale: 1, trust: true, channel: edge}
  catalogue: {charm: catalogue-k8s, scale: 1}
  grafana: {charm: grafana-k8s, scale: 1}
  loki: {charm: loki-k8s, scale: 1}
  prometheus: {charm: prometheus-k8s, scale: 1}
  traefik: {charm: traefik-k8s, scale: 1}
relations:
- [traefik:ingress, grafana:ingress]
`

func TestOverlaysMergeAsInJuju(t *testing.T) {
	files := fixtures(t)
	core := string(files["charmed-kubernetes_bundle__releases_1.27_bundle.yaml"])
	small := "applications:\n  a: {charm: a, num_units: 2, options: {x: 1, y: two}, annotations: {k: v}}\n  b: {charm: b, num_units: 1, to: [a/0]}\nrelations: [[a:p, b:q], [a, b:r]]\n"
	tests := map[string]struct{ base, overlay string }{
		"a cloud's overlay adds applications and relations":     {core, string(files["charmed-kubernetes_bundle__overlays_aws-overlay.yaml"])},
		"a storage overlay adds storage":                        {core, string(files["charmed-kubernetes_bundle__overlays_ceph-rbd.yaml"])},
		"a monitoring overlay adds a series":                    {core, string(files["charmed-kubernetes_bundle__overlays_monitoring-pgt-overlay.yaml"])},
		"an overlay of offers adds offers":                      {cosLite, string(files["canonical_cos-lite-bundle__overlays_offers-overlay.yaml"])},
		"an overlay of certificates relates to all":             {cosLite, string(files["canonical_cos-lite-bundle__overlays_tls-overlay.yaml"])},
		"an application without a body is removed":              {small, "applications:\n  b:\n"},
		"an unknown application without a body changes nothing": {small, "applications:\n  c:\n"},
		"an empty map for an application changes nothing":       {small, "applications:\n  b: {}\n"},
		"options are merged one by one":                         {small, "applications:\n  a:\n    options: {y: three, z: 4}\n"},
		"an option without a value is removed":                  {small, "applications:\n  a:\n    options: {y: }\n"},
		"options without a body are cleared":                    {small, "applications:\n  a:\n    options:\n"},
		"an empty map of options changes nothing":               {small, "applications:\n  a:\n    options: {}\n"},
		"annotations are merged":                                {small, "applications:\n  a:\n    annotations: {l: w}\n"},
		"a list is replaced":                                    {small, "applications:\n  b:\n    to: [new]\n"},
		"scale replaces num_units":                              {small, "applications:\n  a:\n    scale: 5\n"},
		"a number of units may be unsaid":                       {small, "applications:\n  a:\n    num_units:\n"},
		"a charm and its channel are replaced":                  {small, "applications:\n  a: {charm: other, channel: edge}\n"},
		"machines are replaced as a whole":                      {small + "machines: {0: {series: jammy}}\n", "machines: {1: , 2: {constraints: cores=2}}\n"},
		"a series is replaced and a description is not":         {small + "series: focal\n", "series: jammy\ndescription: d\n"},
		"relations are added":                                   {small, "relations: [[a:s, b:t]]\n"},
		"a saas is added":                                       {small, "saas:\n  pg: {url: admin/m.pg}\nrelations: [[a, pg]]\n"},
		"a saas without a body is removed with its relations":   {small + "saas:\n  pg: {url: admin/m.pg}\n", "saas:\n  pg:\n"},
		"exposed endpoints are added":                           {small, "applications:\n  a:\n    exposed-endpoints:\n      p: {expose-to-cidrs: [10.0.0.0/8]}\n"},
		"an empty overlay changes nothing":                      {small, "--- {}\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want, err := oracle([]byte(test.base), []byte(test.overlay))
			if err != nil {
				t.Fatalf("oracle: %v", err)
			}
			base, _, err := bundle.Parse("base.yaml", []byte(test.base), nil)
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := base.Overlay("overlay.yaml", []byte(test.overlay), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(flattenOracle(t, want), flatten(got)); diff != "" {
				t.Errorf("an overlay file differs from the oracle (-oracle +ours):\n%s", diff)
			}
			together, _, err := bundle.Parse("both.yaml", []byte(strings.TrimPrefix(test.base, "---\n")+"---\n"+strings.TrimPrefix(test.overlay, "--- ")), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(flatten(got), flatten(together)); diff != "" {
				t.Errorf("a second document differs from an overlay file (-file +document):\n%s", diff)
			}
		})
	}
}

const twoApplications = "applications:\n  a: {charm: a, num_units: 1}\n  b: {charm: b, num_units: 1}\n"

// verdicts are bundles on which Juju and we agree, but where differ says why not.
var verdicts = map[string]struct {
	bundle string
	differ string // why we mean to differ from Juju, which says the opposite
}{
	"applications alone":                          {bundle: twoApplications},
	"a relation":                                  {bundle: twoApplications + "relations: [[a, 'b:x']]"},
	"a relation to nowhere":                       {bundle: twoApplications + "relations: [[a, c]]"},
	"a relation to itself":                        {bundle: twoApplications + "relations: [['a:x', 'a:y']]"},
	"a relation written twice":                    {bundle: twoApplications + "relations: [[a, b], [b, a]]"},
	"a relation with three ends":                  {bundle: twoApplications + "relations: [[a, b, a]]"},
	"a relation with a wrong name":                {bundle: twoApplications + "relations: [[a, 'B:x']]"},
	"no applications":                             {bundle: "series: jammy"},
	"an unknown type of bundle":                   {bundle: "bundle: docker\n" + twoApplications},
	"too many placements":                         {bundle: "applications: {a: {charm: a, num_units: 1, to: [new, new]}}"},
	"a placement on an unknown machine":           {bundle: "applications: {a: {charm: a, num_units: 1, to: [0]}}"},
	"a placement on a known machine":              {bundle: "applications: {a: {charm: a, num_units: 1, to: [0]}}\nmachines: {0: }"},
	"a placement in a container":                  {bundle: "applications: {a: {charm: a, num_units: 1, to: ['lxd:0']}}\nmachines: {0: {}}"},
	"a placement that cannot be read":             {bundle: "applications: {a: {charm: a, num_units: 1, to: ['0/lxd/1']}}"},
	"a placement with an unknown application":     {bundle: "applications: {a: {charm: a, num_units: 1, to: [c]}}"},
	"a placement with a unit that there is not":   {bundle: twoApplications + "  c: {charm: c, num_units: 1, to: [b/1]}"},
	"a machine that nothing is on":                {bundle: twoApplications + "machines: {0: {}}"},
	"a machine that is not a number":              {bundle: "applications: {a: {charm: a, num_units: 1, to: [x]}}\nmachines: {x: {}}"},
	"both num_units and scale":                    {bundle: "applications: {a: {charm: a, num_units: 1, scale: 1}}"},
	"a negative number of units":                  {bundle: "applications: {a: {charm: a, num_units: -1}}"},
	"a number of units that is a text":            {bundle: "applications: {a: {charm: a, num_units: two}}"},
	"a charm of the closed store":                 {bundle: "applications: {a: {charm: 'cs:a-1'}}"},
	"a charm's name in capitals":                  {bundle: "applications: {a: {charm: Postgres}}"},
	"no charm":                                    {bundle: "applications: {a: {num_units: 1}}"},
	"an application without a body":               {bundle: "applications: {a: }"},
	"a revision without a channel":                {bundle: "applications: {a: {charm: a, revision: 3}}"},
	"a revision with a channel":                   {bundle: "applications: {a: {charm: a, revision: 3, channel: edge}}"},
	"a negative revision":                         {bundle: "applications: {a: {charm: a, revision: -3, channel: edge}}"},
	"a revision in the charm's name":              {bundle: "applications: {a: {charm: 'ch:a-3'}}"},
	"a series of capitals":                        {bundle: "series: JAMMY\n" + twoApplications},
	"a base":                                      {bundle: "default-base: ubuntu@22.04\n" + twoApplications},
	"a base without a channel":                    {bundle: "default-base: ubuntu\n" + twoApplications},
	"an unknown constraint":                       {bundle: "applications: {a: {charm: a, constraints: kores=2}}"},
	"offers outside of overlays":                  {bundle: "applications: {a: {charm: a, offers: {o: {endpoints: [x]}}}}"},
	"offers in an overlay":                        {bundle: "applications: {a: {charm: a}}\n---\napplications: {a: {offers: {o: {endpoints: [x]}}}}"},
	"expose and exposed endpoints":                {bundle: "applications: {a: {charm: a, expose: true}}\n---\napplications: {a: {exposed-endpoints: {x: {expose-to-cidrs: [10.0.0.0/8]}}}}"},
	"a CIDR that is none":                         {bundle: "applications: {a: {charm: a}}\n---\napplications: {a: {exposed-endpoints: {x: {expose-to-cidrs: [10]}}}}"},
	"a saas with the name of an application":      {bundle: twoApplications + "saas: {a: {url: 'admin/m.o'}}"},
	"a saas with a wrong URL":                     {bundle: twoApplications + "saas: {c: {url: 'nowhere'}}"},
	"a saas":                                      {bundle: twoApplications + "saas: {c: {url: 'admin/m.o'}}\nrelations: [[a, c]]"},
	"a saas of another controller":                {bundle: twoApplications + "saas: {c: {url: 'ctl:admin/m.o'}}\nrelations: [[a, c]]"},
	"a Kubernetes bundle with machines":           {bundle: "bundle: kubernetes\n" + twoApplications + "machines: {0: {}}"},
	"a Kubernetes bundle with a selector":         {bundle: "bundle: kubernetes\napplications: {a: {charm: a, scale: 1, placement: zone=a}}"},
	"a Kubernetes bundle with two selectors":      {bundle: "bundle: kubernetes\napplications: {a: {charm: a, scale: 2, to: [zone=a, zone=b]}}"},
	"a Kubernetes bundle with a machine to go to": {bundle: "bundle: kubernetes\napplications: {a: {charm: a, scale: 1, to: [new]}}"},
	"a selector for machines":                     {bundle: "applications: {a: {charm: a, scale: 1, placement: zone=a}}"},
	"a storage with a wrong name":                 {bundle: "applications: {a: {charm: a, storage: {Data: 1G}}}"},
	"a key in an application that means nothing":  {bundle: "applications: {a: {charm: a, confg: {}}}"},
	"a key that is written twice":                 {bundle: "applications: {a: {charm: a, charm: b}}"},
	"a resource that is a list":                   {bundle: "applications: {a: {charm: a, resources: {r: [1]}}}"},
	"a text where a map must be":                  {bundle: "applications: none"},
	"not YAML":                                    {bundle: "applications: [}"},
	"nothing":                                     {bundle: ""},

	"an unknown key at the top":        {bundle: twoApplications + "servics: {}", differ: "DESIGN: a warning at the top, as charmcraft puts its own keys there"},
	"a private key":                    {bundle: "applications: {a: {charm: a, _repository: x}}", differ: "build tools keep notes under such keys; we warn"},
	"one relation to many":             {bundle: twoApplications + "  c: {charm: c}\nrelations: [['a:x', ['b:y', 'c:z']]]", differ: "an older form of bundles that the library dropped"},
	"a base that Juju does not run":    {bundle: "default-base: debian@12\n" + twoApplications, differ: "our machines are Debian's"},
	"an option that is a list":         {bundle: "applications: {a: {charm: a, options: {x: [1]}}}", differ: "no option has that type; Juju finds out at the charm"},
	"a local charm by its path":        {bundle: "applications: {a: {charm: 'local:../a'}}", differ: "paths in both notations"},
	"a charm's path that is not there": {bundle: "applications: {a: {charm: ./nowhere}}", differ: "whether the path is there is for apply, which reads it"},
	"a charm for an architecture":      {bundle: "applications: {a: {charm: 'ch:amd64/jammy/a'}}", differ: "series and constraints have keys of their own"},
	"a name at the top":                {bundle: "name: x\ndocs: y\n" + twoApplications, differ: "the library's struct lacks what bundles on the hub have"},
}

func TestVerdictsAgreeWithJuju(t *testing.T) {
	for name, test := range verdicts {
		t.Run(name, func(t *testing.T) {
			theirs := strictOracle([]byte(test.bundle))
			b, _, ours := bundle.Parse("b.yaml", []byte(test.bundle), nil)
			if ours == nil {
				ours = b.Validate()
			}
			if agree := (ours == nil) == (theirs == nil); agree != (test.differ == "") {
				t.Errorf("meant to differ: %q\nours: %v\nJuju's: %v", test.differ, ours, theirs)
			}
		})
	}
}
