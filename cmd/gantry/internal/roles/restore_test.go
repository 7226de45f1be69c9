package roles

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
)

func TestAControllerWhoseStateIsGoneIsNotBegunAnew(t *testing.T) {
	p := Places{State: t.TempDir()}
	if err := p.lost(Install{}); err != nil {
		t.Errorf("a first start: %v", err)
	}
	if err := p.lost(Install{Controller: "c1"}); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("where one was: %v", err)
	}
	if err := os.MkdirAll(p.controller(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.controller(), "id"), []byte("c1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.lost(Install{Controller: "c1"}); err != nil {
		t.Errorf("where one is: %v", err)
	}
}

func TestAnAgentReadsWhereItsControllersWent(t *testing.T) {
	at := place{root: t.TempDir(), run: t.TempDir()}
	if to, err := at.reattached(); err != nil || len(to.Addresses) > 0 {
		t.Errorf("where nobody said so: %+v, %v", to, err)
	}
	if err := os.MkdirAll(filepath.Dir(at.reattachFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	for rule, to := range map[string]reattached{
		"no address": {}, "an address without a port": {Addresses: []string{"10.0.0.1"}}, "an epoch that is none": {Addresses: []string{"10.0.0.1:1"}, Epoch: "x"},
	} {
		if err := at.reattach(to); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	want := reattached{Addresses: []string{"10.0.0.1:1", "10.0.0.2:1"}, Epoch: "5-a"}
	if err := at.reattach(want); err != nil {
		t.Fatal(err)
	}
	if to, err := at.reattached(); err != nil || to.Epoch != want.Epoch || !slices.Equal(to.Addresses, want.Addresses) {
		t.Errorf("read %+v, %v", to, err)
	}
}

func TestTheOperatorOfARestoredControllerReachesItAndNotTheFormer(t *testing.T) {
	p := Places{State: t.TempDir()}
	install := Install{Port: 17999, Advertise: "10.0.0.9:17999", Epoch: "5-a"}
	if err := p.readdressAdmin(install); err != nil {
		t.Errorf("without a context in the backup: %v", err)
	}
	was := client.Context{Addresses: []string{"10.0.0.1:17170"}, Controllers: []string{"10.0.0.2:17170"}, Key: []byte("key")}
	if err := was.Save(p.AdminContext()); err != nil {
		t.Fatal(err)
	}
	if err := p.readdressAdmin(install); err != nil {
		t.Fatal(err)
	}
	is, err := client.Load(p.AdminContext())
	if err != nil || !slices.Equal(is.Addresses, []string{"10.0.0.9:17999", "127.0.0.1:17999"}) || len(is.Controllers) > 0 || is.Epoch != "5-a" || string(is.Key) != "key" {
		t.Errorf("the context is %+v, %v", is, err)
	}
}

func TestARestoreThatFailsLeavesNothing(t *testing.T) {
	for name, made := range map[string]bool{"a new directory": false, "one that is there": true} {
		parent := t.TempDir()
		state := filepath.Join(parent, "state")
		if made {
			if err := os.Mkdir(state, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		p := Places{State: state, Run: filepath.Join(state, "run"), Log: filepath.Join(state, "log"), Cache: filepath.Join(parent, "cache")}
		o := restoreOptions{places: func() Places { return p }, up: upOptions{provider: "loopback"}, out: t.Output()}
		if err := o.run(t.Context(), filepath.Join(parent, "nothing.gantry-backup")); err == nil {
			t.Fatal("an archive that is not there was restored")
		}
		left, err := os.ReadDir(state)
		if len(left) != 0 || errors.Is(err, os.ErrNotExist) == made {
			t.Errorf("%s: left %v (%v)", name, left, err)
		}
	}
}
