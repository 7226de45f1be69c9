package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a machine as its host sees it.
type machine struct{ name, uuid string }

// process is one process of this host, known by pid and start time.
type process struct {
	pid, parent int
	start       string // in clock ticks after boot
	args        []string
}

func (p process) identity() string { return fmt.Sprintf("%d@%s", p.pid, p.start) }

// readProcess reads one process from /proc.
func readProcess(pid int) (p process, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, false
	}
	// The name before the last parenthesis may hold anything (proc(5)).
	_, rest, found := strings.Cut(string(stat[max(0, strings.LastIndexByte(string(stat), ')')):]), ") ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 || fields[0] == "Z" {
		return p, false
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(line) == 0 {
		return p, false
	}
	p = process{pid: pid, start: fields[19], args: strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")}
	p.parent, err = strconv.Atoi(fields[1])
	return p, err == nil
}

// processes are all of a machine, by its control group.
func (m machine) processes() (all []process) {
	seen := map[int]bool{}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || !strings.Contains(path, "/gantry-") || !strings.Contains(path+"/", "/"+m.uuid+"/") {
			return nil
		}
		text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil || pid == 0 || seen[pid] {
				continue
			}
			seen[pid] = true
			if p, ok := readProcess(pid); ok {
				all = append(all, p)
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b process) int { return a.pid - b.pid })
	return all
}

// rootDir is the machine's / as the host reaches it.
func (m machine) rootDir() (string, error) {
	for _, p := range m.processes() {
		if len(p.args) > 1 && p.args[1] == "supervise" {
			return fmt.Sprintf("/proc/%d/root", p.pid), nil
		}
	}
	return "", errors.New("machine " + m.name + " does not run")
}

func (m machine) files(t testing.TB) string {
	t.Helper()
	dir, err := m.rootDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// service names a process that a charm's service runs, or is "" for the
// agent, the charms' own processes and what comes and goes.
func (p process) service() string {
	name := filepath.Base(p.args[0])
	switch {
	case name == "gantry" && len(p.args) > 3 && p.args[1] == "charm-exec" && p.args[3] == "run":
		return p.args[2]
	case strings.HasPrefix(name, "python") && len(p.args) > 1 && filepath.Base(p.args[1]) == "patroni":
		return "patroni"
	case name == "postgres" && slices.Contains(p.args, "-D"):
		return "postgres"
	case name == "haproxy", name == "pgbouncer":
		return name
	}
	return ""
}

// services are a machine's service processes, name to the identity of each. A
// process's own children count with it: PostgreSQL's are like the postmaster
// until they name themselves.
func (m machine) services() map[string]string {
	all, of := m.processes(), map[int]string{}
	for _, p := range all {
		of[p.pid] = p.service()
	}
	found := map[string]string{}
	for _, p := range all {
		if name := p.service(); name != "" && of[p.parent] != name {
			found[name] = strings.TrimSpace(found[name] + " " + p.identity())
		}
	}
	return found
}

// one finds the machine's process that a test is about.
func (m machine) one(t testing.TB, what string, is func(process) bool) process {
	t.Helper()
	all := m.processes()
	i := slices.IndexFunc(all, is)
	if i < 0 {
		t.Fatalf("machine %s has no %s among %d processes", m.name, what, len(all))
	}
	return all[i]
}

// postmaster is the machine's, by its service's identity.
func (m machine) postmaster(t testing.TB) process {
	t.Helper()
	identity := m.services()["postgres"]
	return m.one(t, "postmaster", func(p process) bool { return p.identity() == identity })
}

func isAgent(p process) bool {
	return filepath.Base(p.args[0]) == "gantry" && len(p.args) > 1 && p.args[1] == "agent"
}

// signal sends one to exactly this process.
func (p process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if now, ok := readProcess(p.pid); !ok || now.start != p.start {
		t.Fatalf("process %d (%s) ended by itself", p.pid, strings.Join(p.args, " "))
	}
	if err := syscall.Kill(p.pid, s); err != nil {
		t.Fatalf("signal process %d: %v", p.pid, err)
	}
}

// role is the process of this install with a role, such as controller.
func (in *install) role(t testing.TB, name string) process {
	t.Helper()
	var found process
	eventually(t, 30*time.Second, "a process of role "+name, func() error {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return err
		}
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil {
				continue
			}
			if p, ok := readProcess(pid); ok && len(p.args) > 3 && p.args[1] == name && slices.Contains(p.args, in.dir) {
				found = p
				return nil
			}
		}
		return errors.New("none runs")
	})
	return found
}
