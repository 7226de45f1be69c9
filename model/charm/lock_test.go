package charm_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

var someHash = strings.Repeat("0123456789abcdef", 4)

func TestALockIsReadWithItsFiles(t *testing.T) {
	l, err := charm.ParseLock("kafka.lock.yaml", []byte(`
name: kafka
version: 4.1
jars:
  - {coordinates: org.apache.kafka:kafka_2.13:4.1.0, sha256: `+someHash+`, size: 42}
  - coordinates: io.netty:netty-transport:4.1.0.Final:linux-x86_64
    sha256: "`+strings.Repeat("1", 64)+`"
`))
	if err != nil {
		t.Fatal(err)
	}
	if l.Name != "kafka" || l.Version != "4.1" || len(l.Jars) != 2 {
		t.Fatalf("%+v", l)
	}
	if j := l.Jars[0]; j.Coordinates != "org.apache.kafka:kafka_2.13:4.1.0" || j.SHA256 != someHash || j.Size != 42 {
		t.Errorf("%+v", j)
	}
	if j := l.Jars[1]; j.Coordinates != "io.netty:netty-transport:4.1.0.Final:linux-x86_64" || j.SHA256 != strings.Repeat("1", 64) {
		t.Errorf("%+v", j)
	}
}

func TestMistakesOfALockAreToldByLine(t *testing.T) {
	head := "name: kafka\nversion: 4.1.0\n"
	for name, tt := range map[string]struct{ lock, want string }{
		"a hash that is too short":         {head + "jars:\n  - {coordinates: a:b:1, sha256: abc}\n", `l.yaml:4:34: expected 64 lower case hex digits, found "abc"`},
		"coordinates without a version":    {head + "jars:\n  - {coordinates: a:b, sha256: " + someHash + "}\n", `l.yaml:4:19: expected group:artifact:version or`},
		"coordinates that leave the place": {head + "jars:\n  - {coordinates: 'a:b:../1', sha256: " + someHash + "}\n", `l.yaml:4:19: expected group:artifact:version or`},
		"a jar without a hash":             {head + "jars:\n  - coordinates: a:b:1\n", `l.yaml:4:5: jar: expected the key "sha256", found none`},
		"a jar twice":                      {head + "jars:\n  - {coordinates: a:b:1, sha256: " + someHash + "}\n  - {coordinates: a:b:1, sha256: " + someHash + "}\n", `l.yaml:5:5: jar a:b:1 is listed twice`},
		"a misspelt key":                   {head + "jar: []\n", `l.yaml:3:1: unknown key "jar" in a lock file; did you mean "jars"?`},
		"no jars":                          {head + "jars: []\n", `l.yaml:3:7: expected at least one jar`},
		"a name that leaves the place":     {"name: ../x\nversion: 1\njars: []\n", `l.yaml:1:7: expected a name, found "../x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := charm.ParseLock("l.yaml", []byte(tt.lock))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, wanted %s", err, tt.want)
			}
		})
	}
}

func TestACharmHasTheLocksThatItNames(t *testing.T) {
	files := fstest.MapFS{
		"charm.yaml":      {Data: []byte("name: kafka\nsummary: s\nsoftware: [kafka.lock.yaml]\n")},
		"kafka.lock.yaml": {Data: []byte("name: kafka\nversion: 4.1.0\njars:\n  - {coordinates: a:b:1, sha256: " + someHash + "}\n")},
	}
	c, err := charm.Read("charms/kafka", files)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Software) != 1 || c.Software[0].Name != "kafka" || len(c.Software[0].Jars) != 1 {
		t.Errorf("%+v", c.Software)
	}
	files["kafka.lock.yaml"].Data = []byte("name: kafka\n")
	if _, err := charm.Read("charms/kafka", files); err == nil || !strings.Contains(err.Error(), "charms/kafka/kafka.lock.yaml:1:1: expected the key") {
		t.Errorf("half a lock: %v", err)
	}
	delete(files, "kafka.lock.yaml")
	if _, err := charm.Read("charms/kafka", files); !errors.Is(err, model.ErrInvalid) || !strings.Contains(err.Error(), `the charm has no such file`) {
		t.Errorf("no lock: %v", err)
	}
	files["charm.yaml"].Data = []byte("name: kafka\nsummary: s\nsoftware: [../kafka.lock.yaml]\n")
	if _, err := charm.Read("charms/kafka", files); err == nil || !strings.Contains(err.Error(), "charm.yaml:3:12: software") {
		t.Errorf("a lock outside: %v", err)
	}
}
