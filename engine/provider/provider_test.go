package provider

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestASpecThatNoMachineCouldHaveIsInvalid(t *testing.T) {
	good := Spec{
		UUID: "0f8fad5b-d9cb", Hostname: "postgresql-0", Base: BaseHost,
		Packages: []string{"postgresql-15=15.12-0+deb12u2", "g++"},
		Files:    map[string]File{"/etc/gantry/agent.json": {}},
		Shared:   []Mount{{Host: "/srv/backup", Inside: "/var/lib/backup"}},
	}
	if err := good.Validate(); err != nil {
		t.Errorf("a good spec: %v", err)
	}
	for rule, change := range map[string]func(*Spec){
		"no UUID":                       func(s *Spec) { s.UUID = "" },
		"a UUID with a slash":           func(s *Spec) { s.UUID = "a/b" },
		"a host name in capitals":       func(s *Spec) { s.Hostname = "Alpha" },
		"a host name with two lines":    func(s *Spec) { s.Hostname = "a\nb" },
		"a base that there is not":      func(s *Spec) { s.Base = "slackware" },
		"a package that is an option":   func(s *Spec) { s.Packages = []string{"-o=x"} },
		"a package that is two":         func(s *Spec) { s.Packages = []string{"a b"} },
		"a file that climbs":            func(s *Spec) { s.Files = map[string]File{"/etc/../x": {}} },
		"a share that is not absolute":  func(s *Spec) { s.Shared = []Mount{{Host: "srv", Inside: "/x"}} },
		"a share that covers the root ": func(s *Spec) { s.Shared = []Mount{{Host: "/srv", Inside: "/"}} },
	} {
		s := good
		change(&s)
		if err := s.Validate(); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: error %v, want invalid", rule, err)
		}
	}
}

func TestAHostsFileIsTheSameForEntriesInAnyOrder(t *testing.T) {
	self := netip.MustParseAddr("10.1.2.3")
	a := HostEntry{Name: "postgresql-0.leop.gantry", Address: self}
	b := HostEntry{Name: "postgresql-1.leop.gantry", Address: netip.MustParseAddr("10.1.2.4")}
	const want = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n" +
		"10.1.2.3 pg\n10.1.2.3 postgresql-0.leop.gantry\n10.1.2.4 postgresql-1.leop.gantry\n"
	for _, entries := range [][]HostEntry{{a, b}, {b, a}, {a, b, a}} {
		if got := HostsFile("pg", self, entries); got != want {
			t.Errorf("hosts file of %v is\n%s", entries, got)
		}
	}
}

func TestInstallsOfDifferentDirectoriesHaveDifferentIDs(t *testing.T) {
	if InstallID("/var/lib/gantry") == InstallID("/var/lib/gantry2") {
		t.Error("two directories have one id")
	}
	if id := InstallID("/var/lib/gantry"); id != InstallID("/var/lib/gantry/") || len(id) != 6 {
		t.Errorf("id %q, want six digits that a trailing slash does not change", id)
	}
}
