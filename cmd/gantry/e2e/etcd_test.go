package e2e

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// certificatesBundle is etcd with an authority of certificates.
const certificatesBundle = "bundles/certificates.yaml"

// TestEtcdWithCertificates takes a cluster that speaks TLS through the loss of
// a machine and a change of the authority.
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
	t.Run("a member whose data is lost does not return silently, and joins anew as a learner", e.dataLost)
	t.Run("a client that repeats a write loses none while the authority changes", e.rotated)
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

// running is etcd's process of a unit, "" where there is none.
func (e *etcd) running(t testing.TB, unit string) string {
	t.Helper()
	for _, p := range machineOf(t, e.status(t), unit).processes() {
		if filepath.Base(p.args[0]) == "etcd" {
			return p.identity()
		}
	}
	return ""
}

func (e *etcd) machineKilled(t *testing.T) {
	began, before := time.Now(), e.running(t, "etcd/1")
	e.gantry(t, "fault", "kill", string(unit(t, e.status(t), "etcd/1").Machine))
	e.mustCtl(t, "etcd/0", "put", "/story/without-one", "yes")
	eventually(t, time.Minute, "etcd/1 is back", func() error {
		if now := e.running(t, "etcd/1"); now == "" || now == before {
			return fmt.Errorf("its process is %q, and was %q", now, before)
		}
		return settled(e.status(t), "etcd", 3)
	})
	figure("etcd's killed machine is back", time.Since(began).Seconds(), "s", "no goal")
	e.whole(t)
}

// dataLost takes a member's data away right after another's machine had died,
// when the others may not have caught up with each other yet.
func (e *etcd) dataLost(t *testing.T) {
	const lost = "etcd/2"
	m := machineOf(t, e.status(t), lost)
	running := m.one(t, "etcd", func(p process) bool { return filepath.Base(p.args[0]) == "etcd" })
	if err := os.RemoveAll(m.files(t) + "/var/lib/gantry/data/etcd-2/etcd/seat-1"); err != nil {
		t.Fatal(err)
	}
	running.signal(t, syscall.SIGKILL)
	eventually(t, time.Minute, "the member is not started again", func() error {
		if s := unit(t, e.status(t), lost).Status; s.Level != model.Blocked {
			return fmt.Errorf("it is %v", s)
		}
		return nil
	})
	if now := e.running(t, lost); now != "" {
		t.Errorf("etcd runs without its data: %s", now)
	}
	began := time.Now()
	e.act(t, lost, "replace-member")
	eventually(t, 3*time.Minute, "the unit has a member that votes", func() error { return settled(e.status(t), "etcd", 3) })
	figure("etcd's lost member replaced", time.Since(began).Seconds(), "s", "no goal")
	e.whole(t)
}

// rotated writes all the while, each write once more where a member that
// restarts took it with it. etcdctl reads whom to trust anew at each run, from a
// file that the unit's own certificates come with.
func (e *etcd) rotated(t *testing.T) {
	const authority = "tls-certificates/0"
	before := e.act(t, authority, "get-ca-certificate")["ca-certificate"]
	e.gantry(t, "run", "--background", authority, "rotate-ca")
	writes, again, deadline := 0, 0, time.Now().Add(time.Minute)
	for ; ; writes++ {
		_, err := e.ctl(t, "etcd/0", "put", "/story/rotation", fmt.Sprint(writes))
		if err != nil && !strings.Contains(err.Error(), "certificate") {
			again++
			_, err = e.ctl(t, "etcd/0", "put", "/story/rotation", fmt.Sprint(writes))
		}
		if err != nil {
			t.Errorf("write %d: %v", writes, err)
		}
		now := e.act(t, authority, "get-ca-certificate")["ca-certificate"]
		if !strings.Contains(now, strings.TrimSpace(before)) && e.status(t).Model.Converged {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the authority has not changed:\n%s", e.gantry(t, "status"))
		}
	}
	t.Logf("%d writes while the authority changed, %d of them repeated", writes, again)
	e.whole(t)
	now := e.act(t, authority, "get-ca-certificate")["ca-certificate"]
	for _, u := range []string{"etcd/0", "etcd/1", "etcd/2"} {
		e.vouched(t, u, now)
	}
}

// vouched checks that a member trusts an authority alone, which vouches for it.
func (e *etcd) vouched(t *testing.T, unit, authority string) {
	t.Helper()
	dir := machineOf(t, e.status(t), unit).files(t) + "/var/lib/gantry/config/" + strings.ReplaceAll(unit, "/", "-") + "/etcd/"
	trusted, err := os.ReadFile(dir + "ca.pem")
	if err != nil || strings.TrimSpace(string(trusted)) != strings.TrimSpace(authority) {
		t.Errorf("%s trusts, %v\n%s", unit, err, trusted)
	}
	text, err := os.ReadFile(dir + "server.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("the certificate of %s is no PEM", unit)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
		t.Errorf("%s: %v", unit, err)
	}
}
