package agent_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestARestartWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("hello", 80))
		m.settle(web)
		m.supervisor.did()
		m.controller.set(web, configure("hello", 81))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		r := m.controller.report(web)
		if r.Settled || !r.Answered || len(r.Asks) != 1 || r.Asks[0].Name != "restart" || r.Status.Level != model.Waiting {
			t.Errorf("report = %+v", r)
		}
		if did := m.supervisor.did(); len(did) != 0 {
			t.Fatalf("without a turn the supervisor was asked to %q", did)
		}
		m.controller.set(web, func(_ *effect.Spec, l *effect.Live) { l.Grants = []effect.Grant{{Turn: "restart", Token: 7}} })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if did := m.supervisor.did(); !slices.Equal(did, []string{"restart web-0/service/web"}) {
			t.Errorf("supervisor was asked to %q", did)
		}
		if r := m.controller.report(web); len(r.Asks) != 0 || !slices.Equal(r.Returned, []effect.Grant{{Turn: "restart", Token: 7}}) || !r.Answered || r.Settled {
			t.Errorf("a turn that is no longer needed is given back, and the unit is not settled before: %+v", r)
		}
		m.controller.set(web, func(_ *effect.Spec, l *effect.Live) { l.Grants = nil })
		m.settle(web)
	})
}

// A listing tells of all services of a machine: one a start would make the
// start of n units n squared work.
func TestManyStartsAskTheSupervisorForItsListFewTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const units = 30
		m := newMachine(t, webCharm)
		m.start()
		time.Sleep(time.Second)
		synctest.Wait()
		m.supervisor.mu.Lock()
		before := m.supervisor.listed
		m.supervisor.mu.Unlock()
		for n := range units {
			m.controller.set(model.UnitName{Application: "web", Number: n}, configure("hello", int64(n)))
		}
		for n := range units {
			r := m.settle(model.UnitName{Application: "web", Number: n})
			if len(r.Services) != 1 || r.Services[0].PID == 0 {
				t.Fatalf("web/%d reports %+v", n, r)
			}
		}
		m.supervisor.mu.Lock()
		defer m.supervisor.mu.Unlock()
		// Each settle lets a second pass, and the list is asked for every five.
		if asked := m.supervisor.listed - before; asked > units/2 {
			t.Errorf("the list was asked for %d times", asked)
		}
	})
}

func TestADamagedJournalBlocksItsUnitAloneUntilItIsRepaired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		other := model.UnitName{Application: "other"}
		m.start()
		m.controller.set(web, configure("hello", 80))
		m.controller.set(other, configure("hello", 81))
		m.settle(web)
		m.settle(other)
		m.kill()
		journal := filepath.Join(m.root, "var/lib/gantry/journal/web-0")
		good, err := os.ReadFile(journal)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(good)
		bad[20] ^= 1
		if err := os.WriteFile(journal, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		m.supervisor.did()
		m.start()
		m.controller.set(other, configure("good day", 81))
		m.settle(other)
		r := m.controller.report(web)
		if r.Settled || r.Status.Level != model.Blocked || r.Hash != m.controller.intent(web).Hash || !strings.Contains(r.Status.Message, "damaged at byte 0") {
			t.Errorf("the unit of the damaged journal reports %+v", r)
		}
		if did := m.supervisor.did(); !slices.Equal(did, []string{"reload other-0/service/web"}) {
			t.Errorf("the supervisor was asked to %q", did)
		}
		if err := os.WriteFile(journal, good, 0o600); err != nil {
			t.Fatal(err)
		}
		m.settle(web)
		if did := m.supervisor.did(); len(did) > 0 {
			t.Errorf("after the repair the supervisor was asked to %q", did)
		}
	})
}

func TestAnAgentThatIsKilledAdoptsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("hello", 80))
		m.settle(web)
		m.supervisor.did()
		before, err := os.Stat(filepath.Join(m.root, "var/lib/gantry/config/web-0/web.conf"))
		if err != nil {
			t.Fatal(err)
		}
		m.kill()
		m.controller.set(web, func(*effect.Spec, *effect.Live) {})
		m.start()
		m.settle(web)
		after, err := os.Stat(filepath.Join(m.root, "var/lib/gantry/config/web-0/web.conf"))
		if err != nil || !os.SameFile(before, after) {
			t.Errorf("the file was written again (%v)", err)
		}
		if did := m.supervisor.did(); len(did) != 0 {
			t.Errorf("supervisor was asked to %q", did)
		}
	})
}

func TestWithoutAControllerAnAgentGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, webCharm)
		m.start()
		m.controller.set(web, configure("hello", 80))
		m.settle(web)
		m.controller.leave()
		m.kill()
		m.start()
		time.Sleep(10 * time.Second)
		if err := os.Remove(filepath.Join(m.root, "var/lib/gantry/config/web-0/web.conf")); err != nil {
			t.Fatal(err)
		}
		m.supervisor.crash("web-0/service/web")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := m.conf(); got != "greeting=hello\n" {
			t.Errorf("a file that was removed is not put back: %q", got)
		}
		m.controller.come()
		m.controller.set(web, func(*effect.Spec, *effect.Live) {})
		if r := m.settle(web); r.Services[0].Restarts != 1 {
			t.Errorf("restarts = %d, want the one that happened meanwhile", r.Services[0].Restarts)
		}
	})
}

// left lists what is below a directory, but for the agent's own empty places.
func left(t *testing.T, root string) []string {
	var found []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, strings.TrimPrefix(path, root))
		}
		if d != nil && strings.Contains(path, "web-0") {
			found = append(found, strings.TrimPrefix(path, root))
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestATeardownLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, func(in effect.Input) effect.Desired {
			d := webCharm(in)
			d.Files = append(d.Files, effect.File{
				ID: "file/elsewhere", Path: filepath.Join(in.Host.Root, "etc/web/extra.conf"), Mode: 0o644, Content: effect.Content{{Text: "x"}},
			})
			d.Volumes = []effect.Volume{{ID: "volume/data", Path: filepath.Join(in.Host.Data, "data"), Mode: 0o700, Incarnation: "1"}}
			d.Services[0].Volume = "volume/data"
			return d
		})
		m.start()
		m.controller.set(web, configure("hello", 80))
		m.settle(web)
		m.supervisor.did()
		m.controller.set(web, func(s *effect.Spec, _ *effect.Live) { s.Life = model.Dead })
		time.Sleep(time.Minute)
		synctest.Wait()
		if r := m.controller.report(web); !r.TornDown || len(r.Leftovers) != 0 {
			t.Errorf("report = %+v", r)
		}
		if did := m.supervisor.did(); !slices.Equal(did, []string{"stop web-0/service/web", "remove web-0/service/web"}) {
			t.Errorf("supervisor was asked to %q", did)
		}
		m.controller.withdraw(web)
		time.Sleep(time.Minute)
		synctest.Wait()
		if found := left(t, m.root); len(found) != 0 {
			t.Errorf("left behind: %q", found)
		}
		if _, err := os.Stat(filepath.Join(m.root, "etc")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a directory that was made for a file is left: %v", err)
		}
	})
}

func TestDataIsKeptUnlessItMayGo(t *testing.T) {
	for _, warranted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t, func(in effect.Input) effect.Desired {
				return effect.Desired{Volumes: []effect.Volume{{ID: "volume/data", Path: filepath.Join(in.Host.Data, "data"), Mode: 0o700, Incarnation: "1"}}}
			})
			m.start()
			m.controller.set(web, configure("hello", 80))
			m.settle(web)
			data := filepath.Join(m.root, "var/lib/gantry/data/web-0/data")
			if err := os.WriteFile(filepath.Join(data, "rows"), []byte("1"), 0o600); err != nil {
				t.Fatal(err)
			}
			m.controller.set(web, func(s *effect.Spec, l *effect.Live) {
				s.Life = model.Dead
				if warranted {
					l.Warrants = []effect.Warrant{{Volume: "volume/data", Incarnation: "*"}}
				}
			})
			time.Sleep(time.Minute)
			synctest.Wait()
			r := m.controller.report(web)
			_, err := os.Stat(filepath.Join(data, "rows"))
			if kept := err == nil; kept == warranted || !r.TornDown || warranted != (len(r.Leftovers) == 0) {
				t.Errorf("warranted %t: kept %t, torn down %t, left %q", warranted, kept, r.TornDown, r.Leftovers)
			}
		})
	}
}
