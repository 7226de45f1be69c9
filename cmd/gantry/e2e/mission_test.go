package e2e

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// missionBundle is a mission's whole data path.
const missionBundle = "bundles/mission-data.yaml"

// TestMissionData brings up a mission's data path from nothing in one apply,
// and breaks one part of it after the other while packets go through. Its eleven
// machines want a host of their own: it is told on request, by make mission.
func TestMissionData(t *testing.T) {
	if os.Getenv("GANTRY_E2E_MISSION") == "" {
		t.Skip("told on request: run make mission")
	}
	m := &mission{}
	w := workspace{in: open(t), name: "default"}
	m.appear(t, w)
	m.archive = w.archive(t)
	m.audit(t)
	for _, story := range []struct {
		name string
		tell func(*testing.T)
	}{
		{"a broker's machine dies and no packet is lost or doubled", m.brokerKilled},
		{"a killed archiver goes on where its last rows are", m.archiverKilled},
		{"the primary's machine dies and packets are acknowledged all the while", m.primaryKilled},
	} {
		if !t.Run(story.name, story.tell) {
			break
		}
	}
}

// mission is bundles/mission-data.yaml, running.
type mission struct{ *archive }

// appear applies the bundle, prints when each application first had settled as
// a whole, and waits until the model has converged.
func (m *mission) appear(t *testing.T, w workspace) {
	t.Helper()
	began := time.Now()
	w.gantry(t, "apply", missionBundle)
	seen := map[model.ApplicationName]bool{}
	eventually(t, convergenceTime, "every application settles", func() error {
		// A host under load may leave one question without an answer.
		r := w.in.run(commandLimit, w.of("status", "-o", "json")...)
		if r.code != 0 {
			return fmt.Errorf("gantry status: exit %d: %s", r.code, r.err)
		}
		waited, s := "", decode[operator.Status](t, r.out)
		for _, a := range s.Applications {
			if seen[a.Name] {
				continue
			}
			if err := settled(s, string(a.Name), len(a.Units)); err != nil || len(a.Units) == 0 {
				waited += fmt.Sprintf("%s: %v; ", a.Name, err)
				continue
			}
			seen[a.Name] = true
			figure("mission: "+string(a.Name)+" settled", time.Since(began).Seconds(), "s", "no goal")
		}
		if waited != "" {
			return fmt.Errorf("%s", waited)
		}
		return nil
	})
	w.converge(t, convergenceTime)
	figure("mission converged from nothing", time.Since(began).Seconds(), "s", "no goal")
}

// audit compares the archive with the ledger twice, once the archiver has what
// was acknowledged when the audit began.
func (m *mission) audit(t *testing.T) {
	t.Helper()
	began := time.Now()
	out := m.act(t, "telemetry/0", "audit")
	r := decode[report](t, out["report"])
	if r.Missing.Count+r.Duplicate.Count+r.Phantom.Count+r.Altered.Count != 0 || r.Acknowledged == 0 {
		t.Errorf("the charm's audit: %s", out["summary"])
	}
	if missing, duplicate, phantom := m.compare(t, began); missing+duplicate+phantom != 0 {
		t.Errorf("psql against the ledger: %d missing, %d duplicate, %d phantom of %d acknowledged", missing, duplicate, phantom, len(m.book.acked))
	}
	figure("mission: packets acknowledged, none lost or doubled", float64(r.Acknowledged), "packets", "all")
	t.Log(out["summary"])
}

// strike measures the longest time without an acknowledgement while something
// happens, and wants all to heal without loss.
func (m *mission) strike(t *testing.T, what, goal string, do func()) {
	t.Helper()
	m.writes(t, time.Now(), time.Minute)
	from := time.Now()
	do()
	m.writes(t, from, convergenceTime)
	m.converge(t, convergenceTime)
	if err := m.book.refresh(); err != nil {
		t.Fatal(err)
	}
	figure("mission: "+what+", without an acknowledgement", m.book.gap(from).Seconds(), "s", goal)
	m.audit(t)
}

func (m *mission) brokerKilled(t *testing.T) {
	m.strike(t, "a broker's machine killed", "goal 12 s", func() {
		m.gantry(t, "fault", "kill", string(unit(t, m.status(t), "kafka/1").Machine))
	})
}

// archiver is the process that takes packets from the topic; none has the
// number 0.
func (m *mission) archiver(t *testing.T) (found process) {
	t.Helper()
	for _, p := range machineOf(t, m.status(t), "telemetry/0").processes() {
		if slices.Contains(p.args, "archive") && slices.Contains(p.args, "charm-exec") {
			return p
		}
	}
	return process{}
}

func (m *mission) archiverKilled(t *testing.T) {
	for range 3 {
		before := m.archiver(t)
		if before.pid == 0 {
			t.Fatal("no archiver runs")
		}
		before.signal(t, syscall.SIGKILL)
		eventually(t, time.Minute, "another archiver runs", func() error {
			if now := m.archiver(t); now.pid == 0 || now.identity() == before.identity() {
				return fmt.Errorf("its process is %q", now.identity())
			}
			return nil
		})
	}
	m.converge(t, convergenceTime)
	m.audit(t)
}

func (m *mission) primaryKilled(t *testing.T) {
	m.strike(t, "the primary's machine killed", "goal 0 s", func() {
		m.gantry(t, "fault", "kill", string(m.primary(t).Machine))
	})
}
