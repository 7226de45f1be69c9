package effect_test

import (
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

func kafka(version string) effect.Software {
	return effect.Software{ID: "software/kafka", Name: "kafka", Version: version, Jars: []software.Jar{
		{Coordinates: "org.apache.kafka:kafka_2.13:" + version, SHA256: strings.Repeat("a", 64), Size: 3 << 20},
		{Coordinates: "io.netty:netty:1:linux", SHA256: strings.Repeat("b", 64), Size: 1},
	}}
}

// wanting is a service that runs from a software's directory.
func wanting(s effect.Software) effect.Desired {
	return effect.Desired{
		Software: []effect.Software{s},
		Services: []effect.Service{{ID: "service/kafka", Command: []string{"java", "-cp", "/software/" + s.Directory() + "/libs/*"}, Uses: []effect.ID{s.ID}}},
	}
}

func (h *host) settle(want effect.Desired) (done []string) {
	for _, s := range h.diff(want).Steps {
		h.do(s)
		done = append(done, s.Name())
	}
	return done
}

func TestSoftwareIsFetchedBeforeWhatUsesItAndRemovedAfter(t *testing.T) {
	h := newHost()
	expect := func(want effect.Desired, steps ...string) {
		t.Helper()
		if got := strings.Join(h.settle(want), ", "); got != strings.Join(steps, ", ") {
			t.Fatalf("did %s; wanted %s", got, strings.Join(steps, ", "))
		}
	}
	expect(wanting(kafka("4.0.0")), "install software/kafka", "start service/kafka")
	expect(wanting(kafka("4.0.0")))
	expect(wanting(kafka("4.1.0")), "install software/kafka", "restart service/kafka", "remove software/kafka")
	if old, now := h.seen.Software[kafka("4.0.0").Directory()], h.seen.Software[kafka("4.1.0").Directory()]; old || !now {
		t.Errorf("the machine has the old software: %v, the new: %v", old, now)
	}
	expect(wanting(kafka("4.1.0")))
	delete(h.seen.Software, kafka("4.1.0").Directory())
	expect(wanting(kafka("4.1.0")), "install software/kafka")
	expect(effect.Desired{}, "remove service/kafka", "remove software/kafka")
}

func TestSoftwareStaysForAServiceThatCannotChangeNow(t *testing.T) {
	h := newHost()
	on := wanting(kafka("4.0.0"))
	on.Volumes = []effect.Volume{{ID: "volume/v", Path: "/v", Incarnation: "1"}}
	on.Services[0].Volume = "volume/v"
	h.settle(on)
	next := wanting(kafka("4.1.0"))
	next.Volumes = []effect.Volume{{ID: "volume/v", Path: "/v", Incarnation: "2"}} // without a warrant: an obstacle
	next.Services[0].Volume = "volume/v"
	if got := strings.Join(h.settle(next), ", "); got != "install software/kafka" {
		t.Errorf("did %s", got)
	}
	if !h.seen.Software[kafka("4.0.0").Directory()] {
		t.Error("the software under a running service is gone")
	}
}

func TestADirectoryNamesTheContentAlone(t *testing.T) {
	a, b := kafka("4.0.0"), kafka("4.0.0")
	b.ID, b.After = "software/other", []effect.ID{"package/java"}
	b.Jars[0].Size = 0
	if a.Directory() != b.Directory() {
		t.Errorf("%s and %s", a.Directory(), b.Directory())
	}
	b.Jars[0].SHA256 = strings.Repeat("c", 64)
	if a.Directory() == b.Directory() {
		t.Error("another content has the same directory")
	}
	tar := effect.Software{Name: "kafka", Version: "4", Archive: &software.Archive{URL: "https://a/k.tgz", SHA512: strings.Repeat("a", 128)}}
	mirror := effect.Software{Name: "kafka", Version: "4", Archive: &software.Archive{URL: "https://b/k.tgz", SHA512: strings.Repeat("a", 128)}}
	if tar.Directory() != mirror.Directory() {
		t.Error("where an archive comes from changes its directory")
	}
}

func TestSoftwareIsToldWithItsSizeWhereThatIsKnown(t *testing.T) {
	if got := kafka("4.1.0").String(); got != "kafka 4.1.0, 2 files, 4 MiB" {
		t.Error(got)
	}
	s := kafka("4.1.0")
	s.Jars[0].Size = 0
	if got := s.String(); got != "kafka 4.1.0, 2 files" {
		t.Error(got)
	}
	if got := kafka("1").Jars[1].File(); got != "netty-1-linux.jar" {
		t.Error(got)
	}
}

func TestSoftwareThatNobodyCouldFetchIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*effect.Software)
		want   string
	}{
		"a name that leaves the place":      {func(s *effect.Software) { s.Name = "../kafka" }, "expected letters, digits"},
		"neither jars nor archive":          {func(s *effect.Software) { s.Jars = nil }, "either jars or an archive"},
		"coordinates that leave the place":  {func(s *effect.Software) { s.Jars[0].Coordinates = "a:../../b:1" }, "expected group:artifact:version"},
		"a hash that is none":               {func(s *effect.Software) { s.Jars[0].SHA256 = "abc" }, "expected 64 hex digits"},
		"two jars of one file name":         {func(s *effect.Software) { s.Jars[1].Coordinates = "other:kafka_2.13:4.1.0" }, "another has its file name"},
		"an archive without a hash":         {archived(software.Archive{URL: "https://h/k.tgz"}), "expected 128 hex digits"},
		"an archive that anybody may alter": {archived(software.Archive{URL: "http://h/k.tgz", SHA512: strings.Repeat("a", 128)}), "expected an https URL"},
	} {
		t.Run(name, func(t *testing.T) {
			s := kafka("4.1.0")
			tt.change(&s)
			err := effect.Desired{Software: []effect.Software{s}}.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, wanted %s", err, tt.want)
			}
		})
	}
}

func archived(a software.Archive) func(*effect.Software) {
	return func(s *effect.Software) { s.Jars, s.Archive = nil, &a }
}
