package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// certificatesBundle is etcd with an authority of certificates.
const certificatesBundle = "bundles/certificates.yaml"

// TestEtcdWithCertificates takes a cluster that speaks TLS through the loss of
// a machine, the loss of a member's data and a change of the authority.
func TestEtcdWithCertificates(t *testing.T) {
	in := open(t)
	e := &etcd{workspace: workspace{in: in, name: "default"}}
	began := time.Now()
	e.gantry(t, "apply", certificatesBundle)
	e.converge(t, 5*time.Minute)
	figure("etcd of three with certificates", time.Since(began).Seconds(), "s", "no goal")
	e.password = e.act(t, "etcd/0", "get-password")["password"]
	e.mustCtl(t, "etcd/0", "put", "/story/kept", "yes")

	t.Run("a killed machine comes back to its member", e.machineKilled)
	t.Run("a wiped member is refused, and joins anew as a learner", e.wiped)
	t.Run("a client sees no error while the authority changes", e.rotated)
}

// etcd is the application of that name in a workspace.
type etcd struct {
	workspace
	password string // of root
}

// ctl runs Debian's etcdctl on a unit's machine against all members.
func (e *etcd) ctl(t testing.TB, unit string, args ...string) (string, error) {
	t.Helper()
	var members []string
	for _, u := range application(t, e.status(t), "etcd").Units {
		members = append(members, "https://"+u.Address+":2379")
	}
	ca := "/var/lib/gantry/config/" + strings.ReplaceAll(unit, "/", "-") + "/etcd/ca.pem"
	r := e.in.run(time.Minute, e.of(append([]string{
		"exec", "--unit", unit, "--", "env", "ETCDCTL_API=3", "etcdctl", "--endpoints=" + strings.Join(members, ","),
		"--cacert=" + ca, "--user=root:" + e.password,
	}, args...)...)...)
	if r.code != 0 {
		return "", fmt.Errorf("etcdctl %s: exit %d: %s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out, nil
}

func (e *etcd) mustCtl(t testing.TB, unit string, args ...string) string {
	t.Helper()
	out, err := e.ctl(t, unit, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// whole waits until all members vote and the first key is there.
func (e *etcd) whole(t *testing.T) {
	t.Helper()
	e.converge(t, time.Minute)
	if list := e.act(t, "etcd/0", "member-list"); list["count"] != "3" || strings.Contains(list["members"], "learner") {
		t.Errorf("the members are\n%s", list["members"])
	}
	if kept := e.mustCtl(t, "etcd/0", "get", "--print-value-only", "/story/kept"); !strings.Contains(kept, "yes") {
		t.Errorf("the first key is %q", kept)
	}
}

func (e *etcd) machineKilled(t *testing.T) {
	began := time.Now()
	e.gantry(t, "fault", "kill", string(unit(t, e.status(t), "etcd/1").Machine))
	e.mustCtl(t, "etcd/0", "put", "/story/without-one", "yes")
	eventually(t, time.Minute, "etcd/1 is back", func() error { return settled(e.status(t), "etcd", 3) })
	figure("etcd's killed machine is back", time.Since(began).Seconds(), "s", "no goal")
	e.whole(t)
}

func (e *etcd) wiped(t *testing.T) {
	before := e.act(t, "etcd/0", "member-list")["members"]
	e.gantry(t, "exec", "--unit", "etcd/2", "--", "sh", "-c", "rm -rf /var/lib/gantry/data/etcd-2/etcd/seat-1; pkill -9 -x etcd")
	eventually(t, time.Minute, "etcd/2 is refused", func() error {
		if s := unit(t, e.status(t), "etcd/2").Status; s.Level != model.Blocked || !strings.Contains(s.Message, "replace-member") {
			return fmt.Errorf("it is %v", s)
		}
		return nil
	})
	e.act(t, "etcd/2", "replace-member")
	eventually(t, time.Minute, "etcd/2 votes again", func() error { return settled(e.status(t), "etcd", 3) })
	e.whole(t)
	if after := e.act(t, "etcd/0", "member-list")["members"]; after == before {
		t.Errorf("the wiped member returned under its old identity:\n%s", after)
	}
}

// rotated writes and reads all the while. etcdctl reads whom to trust anew at
// each run, from a file that the unit's own certificates come with.
func (e *etcd) rotated(t *testing.T) {
	before := e.act(t, "tls-certificates/0", "get-ca-certificate")["ca-certificate"]
	e.gantry(t, "run", "tls-certificates/0", "rotate-ca")
	for n := 0; ; n++ {
		if _, err := e.ctl(t, "etcd/0", "put", "/story/rotation", fmt.Sprint(n)); err != nil {
			t.Errorf("write %d: %v", n, err)
		}
		now := e.act(t, "tls-certificates/0", "get-ca-certificate")["ca-certificate"]
		if now != before && !strings.Contains(now, strings.TrimSpace(before)) {
			t.Logf("%d writes while the authority changed", n+1)
			break
		}
		if n == 120 {
			t.Fatal("the authority has not changed")
		}
	}
	e.whole(t)
}
