package effect_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// settled is a host on which want was carried out.
func settled(want effect.Desired) *host {
	h := newHost()
	for _, s := range h.diff(want).Steps {
		h.do(s)
	}
	return h
}

func patroni() effect.Desired {
	return effect.Desired{
		Packages: []effect.Package{{ID: "package/patroni", Name: "patroni"}},
		Files: []effect.File{
			{ID: "file/restart", Path: "/etc/restart", Content: effect.Content{{Text: "1"}}},
			{ID: "file/reload", Path: "/etc/reload", Content: effect.Content{{Text: "1"}}},
			{ID: "file/other", Path: "/etc/other", Content: effect.Content{{Text: "1"}}},
		},
		Volumes: []effect.Volume{{ID: "volume/data", Path: "/data", Incarnation: "one"}},
		Services: []effect.Service{{
			ID: "service/p", Command: []string{"/bin/p"}, Volume: "volume/data", Uses: []effect.ID{"package/patroni", "file/other"},
			RestartOn: []effect.ID{"file/restart"}, ReloadOn: []effect.ID{"file/reload"}, Turn: &effect.Turn{Name: "restart"},
		}},
		Tasks: []effect.Task{{
			ID: "task/t", Key: "1", Scope: effect.UnitScope, Run: effect.Exec{Command: []string{"/bin/t"}},
			Yields: map[effect.ProbeID]string{"made": "true"}, After: []effect.ID{"service/p"},
		}},
		Bags: []effect.Bag{{Relation: 1, Data: map[string]string{"k": "v"}, After: []effect.ID{"task/t"}}},
	}
}

func kinds(d effect.Difference) (out []string) {
	for _, s := range d.Steps {
		out = append(out, s.Name())
	}
	return out
}

func TestWhatAChangeComesTo(t *testing.T) {
	for _, tt := range []struct {
		name     string
		change   func(h *host, want *effect.Desired)
		steps    string
		obstacle string
	}{
		{"nothing changed: nothing to do", func(*host, *effect.Desired) {}, "", ""},
		{"a file restarts nothing by itself", func(_ *host, w *effect.Desired) { w.Files[2].Content[0].Text = "2" }, "write file/other", ""},
		{"a file of ReloadOn reloads", func(_ *host, w *effect.Desired) { w.Files[1].Content[0].Text = "2" }, "write file/reload, reload service/p", ""},
		{"a file of RestartOn restarts, under its turn", func(_ *host, w *effect.Desired) { w.Files[0].Content[0].Text = "2" }, "write file/restart, restart service/p", ""},
		{"a new revision of a secret is a change of the file", func(_ *host, w *effect.Desired) {
			w.Files[0].Content = effect.Content{{Secret: &effect.SecretRef{ID: "s", Revision: 2, Field: "f"}}}
		}, "write file/restart, restart service/p", ""},
		{"a file that drifted is written, and restarts nothing", func(h *host, _ *effect.Desired) {
			h.seen.Drifted = map[effect.ID]string{"file/restart": "content"}
		}, "write file/restart", ""},
		{"a new command restarts", func(_ *host, w *effect.Desired) { w.Services[0].Command = []string{"/bin/q"} }, "restart service/p", ""},
		{"how a service stops is noted, not restarted", func(_ *host, w *effect.Desired) { w.Services[0].StopTimeout = 9 }, "update service/p", ""},
		{"a service that crashed is started", func(h *host, _ *effect.Desired) {
			h.seen.Services = map[effect.ID]effect.ServiceState{}
		}, "start service/p", ""},
		{"a service that should not run is stopped", func(_ *host, w *effect.Desired) { w.Services[0].Stopped = true }, "stop service/p", ""},
		{"a package that left is removed after what used it", func(_ *host, w *effect.Desired) {
			w.Packages, w.Services[0].Uses = nil, nil
		}, "update service/p, remove package/patroni", ""},
		{"a file that moved is written, then removed where it was", func(_ *host, w *effect.Desired) {
			w.Files[2].Path = "/etc/moved"
		}, "write file/other, remove file/other", ""},
		{"a new key runs a task again", func(_ *host, w *effect.Desired) { w.Tasks[0].Key = "2" }, "run task/t", ""},
		{"an outcome that no longer holds runs a task again", func(h *host, _ *effect.Desired) {
			h.seen.Facts = map[effect.ProbeID]effect.Fact{"made": {Value: "false"}}
		}, "run task/t", ""},
		{"an outcome that is unknown does not", func(h *host, _ *effect.Desired) { h.seen.Facts = nil }, "", ""},
		{"another incarnation needs a warrant", func(_ *host, w *effect.Desired) { w.Volumes[0].Incarnation = "two" }, "", `holds incarnation "one", wanted "two"`},
		{"with a warrant it is wiped, what runs on it stopped around that", func(h *host, w *effect.Desired) {
			w.Volumes[0].Incarnation = "two"
			h.seen.Live.Warrants = []effect.Warrant{{Volume: "volume/data", Incarnation: "one"}}
		}, "stop service/p, wipe volume/data, start service/p", ""},
		{"a warrant of another incarnation is none", func(h *host, w *effect.Desired) {
			w.Volumes[0].Incarnation = "three"
			h.seen.Live.Warrants = []effect.Warrant{{Volume: "volume/data", Incarnation: "two"}}
		}, "", "no warrant lets it go"},
		{"foreign data are never touched", func(h *host, _ *effect.Desired) {
			h.seen.Volumes["volume/data"] = effect.VolumeForeign
			h.seen.Services = nil
		}, "", "is not Gantry's"},
		{"data that were there and are gone are not made anew", func(h *host, _ *effect.Desired) {
			h.seen.Volumes["volume/data"] = effect.VolumeEmpty
			h.seen.Services = nil
		}, "", "is empty now"},
		{"a dropped bag is emptied", func(_ *host, w *effect.Desired) { w.Bags = nil }, "publish bag/1", ""},
		{"not where the relation is dying", func(h *host, w *effect.Desired) {
			w.Bags = nil
			h.seen.Spec.Relations = []effect.Relation{{ID: 1, Life: model.Dying}}
		}, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := patroni()
			h := settled(want)
			want = patroni()
			tt.change(h, &want)
			d := h.diff(want)
			if got := strings.Join(kinds(d), ", "); got != tt.steps {
				t.Errorf("steps: %s\nwanted: %s", got, tt.steps)
			}
			var reasons string
			for _, o := range d.Obstacles {
				reasons += o.Reason
			}
			if tt.obstacle == "" && reasons != "" || !strings.Contains(reasons, tt.obstacle) {
				t.Errorf("obstacles: %s", reasons)
			}
			for _, s := range d.Steps {
				if takes := s.Kind == effect.Restart || s.Kind == effect.Stop; takes != (s.Turn != nil && s.Disrupts) {
					t.Errorf("%s: turn %v, disrupts %v", s.Name(), s.Turn, s.Disrupts)
				}
			}
		})
	}
}

func TestWhatWasRecordedOfAPackageDoesNotRestartAndANewVersionDoes(t *testing.T) {
	want := effect.Desired{
		Packages: []effect.Package{{ID: "package/p", Name: "p"}},
		Services: []effect.Service{{ID: "service/s", Command: []string{"/bin/s"}, RestartOn: []effect.ID{"package/p"}}},
	}
	h := settled(want)
	h.seen.Packages = map[string]string{"p": "1.0"} // as the package manager chose
	want.Packages[0].Version = "1.0"                // as the application recorded
	for _, s := range h.diff(want).Steps {
		if s.Disrupts {
			t.Fatalf("recording a version does %q", s.Name())
		}
		h.do(s)
	}
	want.Packages[0].Version = "1.1"
	if got := kinds(h.diff(want)); !slices.Equal(got, []string{"install package/p", "restart service/s"}) {
		t.Fatalf("an upgrade: %v", got)
	}
}

func TestATaskThatWasCutShort(t *testing.T) {
	for _, tt := range []struct {
		name       string
		idempotent bool
		fact       string
		want       string
	}{
		{"is concluded where its outcome holds", false, "true", "conclude task/t"},
		{"runs again where it is idempotent", true, "", "run task/t"},
		{"blocks where nobody knows", false, "", "gantry task resolve app/0 task/t"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			task := effect.Task{
				ID: "task/t", Key: "1", Scope: effect.UnitScope, Run: effect.Exec{Command: []string{"/bin/t"}},
				Yields: map[effect.ProbeID]string{"made": "true"}, Idempotent: tt.idempotent,
			}
			want := effect.Desired{Tasks: []effect.Task{task}}
			h := newHost()
			h.journal = effect.Opened(h.journal, h.diff(want).Steps[0])
			if tt.fact != "" {
				h.seen.Facts = map[effect.ProbeID]effect.Fact{"made": {Value: tt.fact}}
			}
			d := h.diff(want)
			got := strings.Join(kinds(d), ", ")
			for _, o := range d.Obstacles {
				got += o.Reason
			}
			if !strings.Contains(got, tt.want) {
				t.Fatalf("got %q, wanted %q", got, tt.want)
			}
		})
	}
}

func TestAnApplicationsTaskWaitsForTheLeaderAndForItsPredecessor(t *testing.T) {
	want := effect.Desired{
		Tasks:    []effect.Task{{ID: "task/found", Key: "1", Scope: effect.ApplicationScope, Run: effect.Exec{Call: "found"}, Idempotent: true}},
		Services: []effect.Service{{ID: "service/s", Command: []string{"/bin/s"}, Uses: []effect.ID{"task/found"}}},
	}
	h := newHost()
	h.seen.Live.Leader = false
	if d := h.diff(want); len(d.Steps) > 0 {
		t.Fatalf("without leading: %v", kinds(d))
	}
	h.seen.Live.Leader = true
	other := model.UnitName{Application: "app", Number: 1}
	h.seen.Live.Receipts = []effect.Receipt{{Task: "task/found", Key: "1", Unit: other, State: effect.ClaimOpen}}
	if d := h.diff(want); d.Steps[0].Name() != "run task/found" || !slices.Contains(d.Steps[1].After, "run task/found") {
		t.Fatalf("under another's claim, which may be overdue: %v", kinds(d))
	}
	once := want
	once.Tasks = slices.Clone(want.Tasks)
	once.Tasks[0].Idempotent, once.Tasks[0].Yields = false, map[effect.ProbeID]string{"made": "true"}
	if d := h.diff(once); len(d.Steps) > 0 || len(d.Obstacles) != 1 || d.Obstacles[0].Person {
		t.Fatalf("under another's claim of what must not run twice: %v %v", kinds(d), d.Obstacles)
	}
	h.seen.Live.Receipts[0].State = effect.ClaimDone
	h.seen.Live.Leader = false
	if got := kinds(h.diff(want)); !slices.Equal(got, []string{"start service/s"}) {
		t.Fatalf("once it is done: %v", got)
	}
}

func TestValidateNamesWhatNoAgentCouldCarryOut(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*effect.Desired)
		want   string
	}{
		"nothing":           {func(*effect.Desired) {}, ""},
		"an id taken twice": {func(d *effect.Desired) { d.Files[1].ID = "file/restart" }, "two effects have this id"},
		"an unknown id":     {func(d *effect.Desired) { d.Tasks[0].After = []effect.ID{"file/x"} }, `it names "file/x"`},
		"a circle":          {func(d *effect.Desired) { d.Files[2].After = []effect.ID{"task/t"} }, "it needs itself"},
		"a relative path":   {func(d *effect.Desired) { d.Files[0].Path = "etc/x" }, "is not absolute"},
		"no way back":       {func(d *effect.Desired) { d.Tasks[0].Yields = nil }, "neither Yields nor Idempotent"},
		"an unknown probe":  {func(d *effect.Desired) { d.Services[0].Health = "h" }, `its health is probe "h"`},
		"no incarnation":    {func(d *effect.Desired) { d.Volumes[0].Incarnation = "" }, "no incarnation"},
	} {
		t.Run(name, func(t *testing.T) {
			d := patroni()
			d.Probes = []effect.Probe{{ID: "made"}}
			tt.change(&d)
			err := d.Validate()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, wanted %q", err, tt.want)
			}
		})
	}
}

func TestADisruptionIsWithinWhatWasAllowed(t *testing.T) {
	want := patroni()
	h := settled(want)
	want.Files[0].Content = effect.Content{{Text: "2"}}
	d := h.diff(want).Disruption()
	if !slices.Equal(d.Restarts, []effect.ID{"service/p"}) || !slices.Equal(d.Turns, []string{"restart"}) || len(d.Destroys) > 0 {
		t.Fatalf("%+v", d)
	}
	if !d.Within(d) || d.Within(effect.Disruption{}) || !(effect.Disruption{}).Within(d) {
		t.Fatal("an envelope holds what it names and less, no more")
	}
}
