package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// The controller is lost with all that it knew, and restored on another port:
// the agents find it, and no service notices.
func TestALostControllerIsRestoredElsewhereAndNoServiceNotices(t *testing.T) {
	in := open(t)
	w := in.model(t, "safe")
	w.gantry(t, "deploy", "beacon", "-n", "2")
	w.converge(t, 5*time.Minute)
	pass, first := filepath.Join(in.dir, "pass"), filepath.Join(in.dir, "first.gantry-backup")
	if err := os.WriteFile(pass, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	made := ask[model.Backup](t, in, "backup", "create", "--to", first, "--passphrase-file", pass)
	drill := ask[model.Drill](t, in, "backup", "drill", first)
	if drill.Fault != "" || drill.Backup != made.ID {
		t.Errorf("the drill of %s: %+v", made.ID, drill)
	}
	figure("backup drill", drill.Took.Seconds(), "s", "seconds")
	in.refusesDamage(t, first)

	w.gantry(t, "deploy", "beacon", "late") // newer than the backup
	w.converge(t, 2*time.Minute)
	s := w.status(t)
	known := []machine{machineOf(t, s, "beacon/0"), machineOf(t, s, "beacon/1"), machineOf(t, s, "late/0")}
	before := servicesOf(known)

	if err := os.RemoveAll(filepath.Join(in.dir, "controller")); err != nil {
		t.Fatal(err)
	}
	in.role(t, "controller").signal(t, syscall.SIGKILL)
	// Without a restore nothing is begun in its place.
	if r := in.run(time.Minute, "up"); r.code == 0 || !strings.Contains(r.err, "gantry restore") {
		t.Errorf("up after the loss: exit %d\n%s", r.code, r.err)
	}
	in.port = freePorts(t, in.port+2)
	began := time.Now()
	in.gantry(t, "restore", first, "--passphrase-file", pass, "--port", strconv.Itoa(in.port))
	in.up(t)
	figure("controller restored and up", time.Since(began).Seconds(), "s", "seconds")
	if r := in.run(time.Minute, "restore", first, "--passphrase-file", pass); r.code == 0 {
		t.Error("it was restored over a controller that runs")
	}
	w.converge(t, time.Minute)
	figure("agents back and converged after the restore", time.Since(began).Seconds(), "s", "seconds")
	second := filepath.Join(in.dir, "second.gantry-backup")
	in.gantry(t, "backup", "create", "--to", second)
	if a, b := in.digest(t, first, "safe"), in.digest(t, second, "safe"); a == "" || a != b {
		t.Errorf("the model's digest is %s, in the backup it was %s", b, a)
	}
	w.gantry(t, "config", "beacon", "message=restored")
	w.converge(t, time.Minute)
	if changed := differ(before, servicesOf(known)); len(changed) > 0 || len(before) < 3 {
		t.Errorf("of %d services these changed, or what is newer than the backup: %v", len(before), changed)
	}
	if list := ask[operator.Backups](t, in, "backup", "list"); list.Restored == nil || list.Restored.Backup != made.SHA256 || !list.Restored.Open {
		t.Errorf("it came out of %+v", list.Restored)
	}
	in.gantry(t, "backup", "settle")
	eventually(t, time.Minute, "what is newer than the backup goes, once that is decided", func() error {
		if left := known[2].processes(); len(left) > 0 {
			return fmt.Errorf("%d processes of its machine run", len(left))
		}
		return nil
	})
}

// servicesOf are the services of machines, each with its identity.
func servicesOf(machines []machine) map[string]string {
	all := map[string]string{}
	for _, m := range machines {
		for name, identity := range m.services() {
			all[m.uuid+" "+name] = identity
		}
	}
	return all
}

// refusesDamage flips a byte of a copy.
func (in *install) refusesDamage(t testing.TB, archive string) {
	t.Helper()
	b, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/3] ^= 1
	damaged := archive + ".damaged"
	if err := os.WriteFile(damaged, b, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"verify", "drill"} {
		if r := in.run(time.Minute, "backup", command, damaged); r.code == 0 || !strings.Contains(r.out+r.err, "DAMAGED in part ") {
			t.Errorf("backup %s of a damaged file: exit %d\n%s%s", command, r.code, r.out, r.err)
		}
	}
}

// digest is that of a model in an archive.
func (in *install) digest(t testing.TB, archive, name string) string {
	t.Helper()
	type manifest struct {
		Models []struct{ Name, SHA256 string } `json:"models"`
	}
	for _, m := range ask[manifest](t, in, "backup", "verify", archive).Models {
		if m.Name == name {
			return m.SHA256
		}
	}
	return ""
}
