package program

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

const valid = `source: telemetry/0
spacecraft: 42
apids: [100]
rate: 0.5
ledger: /tmp/ledger
archive: {endpoints: ["db:5432"], user: u, database: d}
`

func load(t *testing.T, text string) (config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadConfig(path)
}

func TestLoadConfigFillsInWhatIsNotSet(t *testing.T) {
	c, err := load(t, valid)
	if err != nil {
		t.Fatal(err)
	}
	if c.Workers != 4 || c.Queue != 100_000 || c.Timeout != 5*time.Second || c.Grace != 10*time.Second || c.Listen == "" {
		t.Errorf("defaults %+v", c.fixed)
	}
	if c.plan().interval() != 2*time.Second {
		t.Errorf("a packet every %v, want every 2 s", c.plan().interval())
	}
}

func TestLoadConfigRefusesAndSaysWhere(t *testing.T) {
	for name, test := range map[string]struct{ old, new, says string }{
		"an unknown key":       {"rate:", "rat:", "line 4"},
		"no rate":              {"rate: 0.5", "", "rate 0"},
		"a rate beyond reason": {"0.5", "1e9", "rate 1e+09"},
		"an empty source":      {"telemetry/0", `""`, "source is not set"},
		"an idle APID":         {"[100]", "[2047]", "apids"},
		"an APID twice":        {"[100]", "[1, 1]", "apids"},
		"no endpoint":          {`["db:5432"]`, "[]", "endpoint"},
		"a topic of no name":   {"archive:", "topic: {brokers: [\"k:9092\"]}\narchive:", "no name"},
		"a topic of no broker": {"archive:", "topic: {name: t}\narchive:", "no broker"},
		"no workers":           {"rate:", "workers: 0\nrate:", "workers"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, strings.Replace(valid, test.old, test.new, 1))
			if !errors.Is(err, model.ErrInvalid) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want it invalid and to name %q", err, test.says)
			}
		})
	}
}

func TestThePasswordIsTheFirstLineOfItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("s e'cret\nmore\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, strings.Replace(valid, "user: u", "user: u, password-file: "+path, 1))
	if err != nil || c.target.Password != "s e'cret" {
		t.Errorf("password %q with error %v", c.target.Password, err)
	}
}

func TestTheTopicsPasswordAndAuthorityAreRead(t *testing.T) {
	directory := t.TempDir()
	password, authority := filepath.Join(directory, "password"), filepath.Join(directory, "ca.pem")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := valid + "topic: {name: t, brokers: [\"k:9092\"], user: u, password-file: " + password + ", ca-file: " + authority + "}\n"
	if _, err := load(t, text); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "topic.ca-file") {
		t.Errorf("without the authority's file: error %v", err)
	}
	if err := os.WriteFile(authority, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, text); !errors.Is(err, model.ErrInvalid) || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("with a file that is no certificate: error %v", err)
	}
	c, err := load(t, strings.Replace(text, ", ca-file: "+authority, "", 1))
	if err != nil || c.topic.Password != "secret" || c.topic.User != "u" || c.topic.Topic != "t" {
		t.Errorf("topic %+v with error %v", c.topic, err)
	}
}
