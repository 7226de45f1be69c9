package e2e

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestNothingSpeaksBeforeMutualTLS finds every socket that a process of an
// install listens on, and speaks to each as one who has no business there.
func TestNothingSpeaksBeforeMutualTLS(t *testing.T) {
	in := open(t)
	in.gantry(t, "deploy", "beacon")
	in.gantry(t, "wait", "--timeout", "60s")
	ports, local := map[string]bool{}, 0
	pids := in.processes(t)
	if len(pids) < 4 {
		t.Fatalf("only %d processes of the install were found", len(pids))
	}
	for _, pid := range pids {
		inodes := sockets(pid)
		for _, table := range []string{"tcp", "tcp6"} {
			for _, port := range listening(t, pid, table, inodes) {
				ports[port] = true
			}
		}
		for _, table := range []string{"udp", "udp6"} {
			for range rows(pid, table, inodes) {
				t.Errorf("process %d has a socket in %s", pid, table)
			}
		}
		local += unixSockets(t, pid, inodes)
	}
	t.Logf("%d processes listen on the TCP ports %v and on %d unix sockets", len(pids), ports, local)
	if len(ports) == 0 || local == 0 {
		t.Error("no socket was found: the search is blind")
	}
	health := strconv.Itoa(in.port + 1)
	if !ports[health] {
		t.Error("health is not served")
	}
	for port := range ports {
		if port == health {
			onlyHealth(t, net.JoinHostPort("127.0.0.1", port))
			continue
		}
		silent(t, net.JoinHostPort("127.0.0.1", port))
	}
}

// processes are those that run gantry for this install, on the host and in its
// machines.
func (in *install) processes(t *testing.T) (pids []int) {
	t.Helper()
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		exe, err := os.Readlink(dir + "/exe")
		name := filepath.Base(strings.TrimSuffix(exe, " (deleted)"))
		if err != nil || strings.TrimSuffix(name, "-dqlite") != filepath.Base(binary) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

var socketLink = regexp.MustCompile(`^socket:\[(\d+)\]$`)

// sockets are the inodes of a process's sockets.
func sockets(pid int) map[string]bool {
	inodes := map[string]bool{}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		to, err := os.Readlink(link)
		if found := socketLink.FindStringSubmatch(to); err == nil && found != nil {
			inodes[found[1]] = true
		}
	}
	return inodes
}

// rows are the lines of a table of sockets that are of the given inodes, each
// as its fields. The table is that of the process's own network namespace.
func rows(pid int, table string, inodes map[string]bool) (list [][]string) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table))
	if err != nil {
		return nil
	}
	defer f.Close()
	at := 9
	if table == "unix" {
		at = 6
	}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > at && inodes[fields[at]] {
			list = append(list, fields)
		}
	}
	return list
}

// listening are the TCP ports that a process listens on.
func listening(t *testing.T, pid int, table string, inodes map[string]bool) (ports []string) {
	t.Helper()
	const listen = "0A"
	for _, fields := range rows(pid, table, inodes) {
		if fields[3] != listen {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, fmt.Sprint(port))
	}
	return ports
}

// unixSockets checks that each unix socket that a process listens on is a file,
// that no other user may reach, and counts them.
func unixSockets(t *testing.T, pid int, inodes map[string]bool) (n int) {
	t.Helper()
	const accepts = "00010000"
	for _, fields := range rows(pid, "unix", inodes) {
		if fields[3] != accepts {
			continue
		}
		n++
		if len(fields) < 8 || strings.HasPrefix(fields[7], "@") {
			t.Errorf("process %d listens on a socket that is no file: %v", pid, fields)
			continue
		}
		path := filepath.Join(fmt.Sprintf("/proc/%d/root", pid), fields[7])
		if own, ok := strings.CutPrefix(fields[7], "/proc/self/"); ok { // named by a directory that the process has open
			path = filepath.Join(fmt.Sprintf("/proc/%d", pid), own)
		}
		dir, err := os.Stat(filepath.Dir(path))
		if err != nil {
			t.Errorf("process %d: %v", pid, err)
			continue
		}
		socket, err := os.Stat(path)
		if err != nil {
			t.Errorf("process %d: %v", pid, err)
			continue
		}
		// A charm's socket is its group's too, which the charm's own user is in.
		if dir.Mode().Perm()&0o007 != 0 || dir.Mode().Perm()&0o070 != 0 && !strings.Contains(fields[7], "/charms/") {
			t.Errorf("process %d listens on %s, of mode %v in a directory of mode %v", pid, fields[7], socket.Mode()&(fs.ModePerm|fs.ModeType), dir.Mode())
		}
	}
	return n
}

// silent speaks to a port without a certificate, with one of another authority,
// with an expired one, and with no TLS at all: nothing is answered.
func silent(t *testing.T, address string) {
	t.Helper()
	for how, hello := range map[string]string{
		"HTTP/1":  "GET / HTTP/1.0\r\n\r\n",
		"HTTP/2":  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"nothing": "",
		"a line":  "hello\n",
	} {
		if answer := spoken(t, address, hello); len(answer) > 0 && answer[0] != 0x15 { // a TLS alert
			t.Errorf("%s answers %q to %s", address, answer, how)
		}
	}
	for how, certificates := range map[string][]tls.Certificate{
		"no certificate":                     nil,
		"a certificate of another authority": {selfSigned(t, time.Hour)},
		"an expired certificate":             {selfSigned(t, -time.Hour)},
	} {
		for _, protocol := range []string{"h2", "gantry-raft", ""} {
			config := &tls.Config{InsecureSkipVerify: true, Certificates: certificates}
			if protocol != "" {
				config.NextProtos = []string{protocol}
			}
			c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", address, config)
			if err != nil {
				continue
			}
			// TLS 1.3: the client learns only now that it was refused.
			_ = c.SetDeadline(time.Now().Add(3 * time.Second))
			_, _ = c.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
			b := make([]byte, 64)
			if n, err := c.Read(b); n > 0 {
				t.Errorf("%s answers %q to %s over %q: %v", address, b[:n], how, protocol, err)
			}
			_ = c.Close()
		}
	}
}

// spoken is what a port answers to a text, within a moment.
func spoken(t *testing.T, address, text string) []byte {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	_, _ = c.Write([]byte(text))
	b := make([]byte, 256)
	n, _ := c.Read(b)
	return b[:n]
}

func selfSigned(t *testing.T, life time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "user/admin"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(life),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
