package supervise

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func savedRecord(t *testing.T, dir, id string) *store {
	t.Helper()
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := &record{}
	r.plan(Spec{ID: id, Command: []string{"true"}}.withDefaults(), 1)
	if err := s.save(r); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSaveThatWasCutShortLeavesTheOldRecord(t *testing.T) {
	dir := t.TempDir()
	s := savedRecord(t, dir, "app/0/web")
	tmp := s.path("app/0/web") + tempSuffix
	if err := os.WriteFile(tmp, []byte(`{"spec":{"id":"app`), 0o600); err != nil {
		t.Fatal(err)
	}
	records, damaged, err := s.load()
	if err != nil || len(damaged) != 0 || len(records) != 1 || records[0].Spec.ID != "app/0/web" || !records[0].Want {
		t.Fatalf("load: %v, %v, %v", records, damaged, err)
	}
	if _, err := os.Stat(tmp); err == nil {
		t.Error("the torn file stays")
	}
}

func TestDamagedRecordIsSetAsideAndTheOthersLoad(t *testing.T) {
	dir := t.TempDir()
	s := savedRecord(t, dir, "good")
	whole, err := os.ReadFile(s.path("good"))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"torn": whole[:len(whole)/2], "empty": nil, "zeros": make([]byte, len(whole)), "misnamed": whole, "void": []byte("{}"),
	} {
		if err := os.WriteFile(s.path(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	records, damaged, err := s.load()
	if err != nil || len(records) != 1 || records[0].Spec.ID != "good" || len(damaged) != 5 {
		t.Fatalf("load: %d records, damaged %v, %v", len(records), damaged, err)
	}
	kept, _ := filepath.Glob(filepath.Join(dir, "*.bad"))
	if len(kept) != 5 {
		t.Errorf("kept aside: %v", kept)
	}
}

func TestRecordsAreForTheSupervisorOnly(t *testing.T) {
	s := savedRecord(t, t.TempDir(), "secret")
	info, err := os.Stat(s.path("secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestSpecHashIsOfWhatTheSpecMeans(t *testing.T) {
	base := Spec{ID: "a", Command: []string{"x"}}
	same := base.withDefaults()
	same.Lease = t0
	if base.Hash() != same.Hash() {
		t.Error("defaults or the lease change the hash")
	}
	other := base
	other.Env = []string{"A=1"}
	if base.Hash() == other.Hash() {
		t.Error("the environment does not change the hash")
	}
}

func TestValidateRefuses(t *testing.T) {
	for name, change := range map[string]func(*Spec){
		"an empty id":                       func(s *Spec) { s.ID = "" },
		"a hidden id":                       func(s *Spec) { s.ID = "../x" },
		"a long id":                         func(s *Spec) { s.ID = strings.Repeat("x", 81) },
		"no command":                        func(s *Spec) { s.Command = nil },
		"a relative directory":              func(s *Spec) { s.Dir = "x" },
		"a relative log":                    func(s *Spec) { s.LogFile = "x" },
		"a negative timeout":                func(s *Spec) { s.StopTimeout = -1 },
		"a negative limit":                  func(s *Spec) { s.Limits.Pids = -1 },
		"a nameless variable":               func(s *Spec) { s.Env = []string{"=secret"} },
		"a variable without an equals sign": func(s *Spec) { s.Env = []string{"secret"} },
	} {
		s := Spec{ID: "a", Command: []string{"x"}}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&s)
		if err := s.Validate(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignalsAreWrittenByName(t *testing.T) {
	for _, name := range []string{"SIGINT", "int", "Sigint"} {
		if s, err := ParseSignal(name); err != nil || s.String() != "SIGINT" {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if _, err := ParseSignal("SIGNOTHING"); err == nil {
		t.Error("an unknown signal passes")
	}
}
