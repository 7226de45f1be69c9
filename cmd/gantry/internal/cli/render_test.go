package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func unitName(t *testing.T, text string) model.UnitName {
	t.Helper()
	u, err := model.ParseUnitName(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// troubled is a model in which nearly everything that a status can say is the
// case.
func troubled(t *testing.T) operator.Status {
	active := model.Status{Level: model.Active}
	return operator.Status{
		Model: operator.ModelStatus{
			Name: "leop-a", Provider: "sandbox", Index: 90, Revision: 7,
			Waiting: []string{"postgresql/1: maintenance; package/postgresql-15"},
			Blocked: []string{"pgbouncer/0: no backend: relate it to a database"},
		},
		Applications: []operator.Application{
			{Name: "pgbouncer", Charm: "pgbouncer", Subordinate: true, Status: model.Status{Level: model.Blocked}, Units: []operator.Unit{
				{Name: unitName(t, "pgbouncer/0"), Principal: unitName(t, "telemetry/0"), Machine: "2", Address: "10.0.0.4", Reachable: true, Status: model.Status{Level: model.Blocked, Message: "no backend"}},
			}},
			{
				Name: "postgresql", Charm: "postgresql", Scale: 3, Version: "15.4", Exposed: true, Status: model.Status{Level: model.Maintenance},
				Order: &operator.Order{Name: "restore", Stage: "stop", State: "open"},
				Units: []operator.Unit{
					{Name: unitName(t, "postgresql/0"), Leader: true, Machine: "0", Address: "10.0.0.2", Reachable: true, Version: "15.4", Status: model.Status{Level: model.Active, Message: "primary"}, Ports: []effect.Port{{Number: 5432, Protocol: "tcp"}}},
					{Name: unitName(t, "postgresql/1"), Machine: "1", Address: "10.0.0.3", Reachable: true, Status: model.Status{Level: model.Maintenance, Message: "installing"}, Doing: []string{"package/postgresql-15"}},
				},
			},
			{Name: "telemetry", Charm: "telemetry", Scale: 1, Status: active, Units: []operator.Unit{
				{
					Name: unitName(t, "telemetry/0"), Life: model.Dying, Machine: "2", Status: active,
					Holds: []effect.Hold{{Subject: unitName(t, "pgbouncer/0"), Reason: "packets are on their way"}},
				},
				{Name: unitName(t, "telemetry/10"), Machine: "2", Address: "10.0.0.4", Status: active},
			}},
		},
		Machines: []operator.Machine{
			{Name: "0", Address: "10.0.0.2", Reachable: true, Base: "debian@12", Status: active, Units: []model.UnitName{unitName(t, "postgresql/0")}},
			{Name: "1", Reachable: false, Status: model.Status{Level: model.Maintenance}, Progress: "unpacking the base, 40 %", Units: []model.UnitName{unitName(t, "postgresql/1")}},
			{Name: "2", Address: "10.0.0.4", Status: active, Units: []model.UnitName{unitName(t, "telemetry/0"), unitName(t, "telemetry/10")}},
		},
		Relations: []operator.Relation{
			{ID: 1, Interface: "postgresql_peers", Ends: []operator.RelationEnd{{Application: "postgresql", Endpoint: "database-peers"}}},
			{ID: 4, Interface: "postgresql_client", Scope: model.ContainerScope, Life: model.Dying, Ends: []operator.RelationEnd{
				{Application: "pgbouncer", Endpoint: "database"}, {Application: "telemetry", Endpoint: "database"},
			}},
		},
	}
}

func planned(t *testing.T) operator.Planned {
	return operator.Planned{
		Revision: 7,
		Differences: []operator.Difference{
			{Action: "change", Kind: "config", Subject: "postgresql", Field: "max_connections", From: "100", To: "200"},
			{Action: "remove", Kind: "application", Subject: "lamp"},
			{Action: "add", Kind: "units", Subject: "postgresql", To: "4"},
		},
		Placements: []operator.Placement{{Unit: unitName(t, "postgresql/3"), Machine: "5", New: true}, {Unit: unitName(t, "lamp/1"), Machine: "0"}},
		Units: []operator.PlannedUnit{{Unit: unitName(t, "postgresql/0"), Effects: []operator.PlannedEffect{
			{Effect: "software/kafka", Action: "fetch", Detail: "kafka 4.1.0, 42 files, 118 MiB", Certainty: operator.Certain},
			{Effect: "file/patroni.yml", Action: "change", Certainty: operator.Certain, Diff: "@@ -1 +1 @@\n-max_connections: 100\n+max_connections: 200\n"},
			{Effect: "service/patroni", Action: "restart", Certainty: operator.Expected, Turn: "restart", Disrupts: true},
			{Effect: "volume/pgdata", Action: "remove", Certainty: operator.Unsure, Destroys: true},
		}}},
	}
}

func TestWhatIsPrintedIsAsInTheGoldenFiles(t *testing.T) {
	tests := map[string]func(io.Writer){
		"status":        func(w io.Writer) { writeStatus(w, false, troubled(t), true) },
		"status-colour": func(w io.Writer) { writeStatus(w, true, troubled(t), false) },
		"status-selected": func(w io.Writer) {
			writeStatus(w, false, selected(troubled(t), []model.ApplicationName{"postgresql"}), true)
		},
		"plan":             func(w io.Writer) { writePlan(w, false, planned(t)) },
		"plan-colour":      func(w io.Writer) { writePlan(w, true, planned(t)) },
		"plan-of-nothing":  func(w io.Writer) { writePlan(w, false, operator.Planned{Revision: 7}) },
		"operation-failed": func(w io.Writer) { writeOperation(w, false, failedOperation(t)) },
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			write(&b)
			golden(t, filepath.Join("testdata", name+".golden"), b.Bytes())
		})
	}
}

func failedOperation(t *testing.T) operator.Operation {
	asked := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return operator.Operation{
		ID: "7", Kind: effect.ActionOperation, Unit: unitName(t, "postgresql/0"), Action: "create-backup", State: "failed", Asked: asked, Ended: asked.Add(1500 * time.Millisecond),
		Result: &effect.OperationResult{Failed: "the repository is full", Output: map[string]string{"log": "one\ntwo\n", "backup-id": "none"}, Stderr: "pgbackrest: no space"},
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s:\n%s", path, diff)
	}
}

func TestErrorsHaveTheExitCodeOfTheirClass(t *testing.T) {
	tests := map[string]struct {
		err  error
		want int
	}{
		"nothing went wrong":              {nil, 0},
		"a mistake fails":                 {fmt.Errorf("x: %w", model.ErrInvalid), 1},
		"a conflict fails":                {fmt.Errorf("x: %w", model.ErrConflict), 1},
		"an interrupt fails":              {fmt.Errorf("x: %w", context.Canceled), 1},
		"a plan with changes":             {errChanges, 2},
		"a freeze refuses":                {fmt.Errorf("x: %w", model.ErrFrozen), 3},
		"a lack of access refuses":        {fmt.Errorf("x: %w", model.ErrDenied), 3},
		"a deadline that passed":          {fmt.Errorf("x: %w", context.DeadlineExceeded), 4},
		"a command's own exit code":       {statusError(7), 7},
		"several errors, one of a policy": {errors.Join(model.ErrInvalid, model.ErrFrozen), 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := exitCode(test.err); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

func TestAnErrorIsReportedOnceLineByLineWithWhatToDoNext(t *testing.T) {
	var b strings.Builder
	report(&b, fmt.Errorf("a.yaml:1:2: one\na.yaml:3:4: two: %w", model.ErrUnavailable))
	want := "gantry: a.yaml:1:2: one\ngantry: a.yaml:3:4: two: unavailable\n  next: see that the controller runs (gantry up), then repeat the command\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	for _, silent := range []error{nil, errChanges, statusError(3)} {
		b.Reset()
		if report(&b, silent); b.Len() > 0 {
			t.Errorf("%v was reported: %q", silent, b.String())
		}
	}
}

func TestProgressSaysWhatIsWaitedFor(t *testing.T) {
	tests := map[string]struct {
		progress operator.Progress
		want     string
	}{
		"nothing is known":        {operator.Progress{}, "settling"},
		"those at work are first": {operator.Progress{Doing: []string{"b/0: file/x"}, Waiting: []string{"a/0: no machine", "b/0: starting (file/x)"}}, "waiting for b/0: starting (file/x); a/0: no machine"},
		"the others are counted":  {operator.Progress{Waiting: []string{"a/0: x", "b/0: y", "c/0: z", "c/1: z"}}, "waiting for a/0: x; b/0: y; and 2 more"},
		"a person must act":       {operator.Progress{Blocked: []string{"a/0: no disk"}, Waiting: []string{"b/0: x"}}, "blocked: a/0: no disk"},
		"it has converged":        {operator.Progress{Converged: true}, "converged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, got := progressLine(test.progress); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestTheGistOfProgressIsWhoIsWaitedFor(t *testing.T) {
	before, _ := progressLine(operator.Progress{Doing: []string{"a/0: file/x"}, Waiting: []string{"a/0: installing", "b/0: x"}})
	same, _ := progressLine(operator.Progress{Waiting: []string{"a/0: starting", "b/0: x"}})
	after, _ := progressLine(operator.Progress{Waiting: []string{"b/0: x"}})
	if before != same || before == after {
		t.Errorf("%q, then %q, then %q", before, same, after)
	}
}
