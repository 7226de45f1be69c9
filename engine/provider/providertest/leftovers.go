package providertest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
)

// Snapshot is what there is on a host, each thing as "kind: what".
type Snapshot []string

// Leftovers takes what there is now that machines may leave behind:
// namespaces, links, nft tables and rules, routes, mounts, control groups,
// users, listeners, processes and network settings.
func Leftovers(t testing.TB) Snapshot {
	t.Helper()
	var s Snapshot
	for kind, list := range map[string]func() ([]string, error){
		"namespace": namespaces, "link": links, "nft": rules, "route": routes, "mount": mounts,
		"cgroup": groups, "user": users, "listener": listeners, "process": processes, "sysctl": sysctls,
	} {
		items, err := list()
		if err != nil {
			t.Fatalf("list what there is of kind %s: %v", kind, err)
		}
		for _, i := range items {
			s = append(s, kind+": "+i)
		}
	}
	slices.Sort(s)
	return slices.Compact(s)
}

// Since returns how a later snapshot differs: "+ kind: what" for what is new,
// "- kind: what" for what is gone.
func (s Snapshot) Since(before Snapshot) []string {
	var diff []string
	for _, item := range s {
		if !slices.Contains(before, item) {
			diff = append(diff, "+ "+item)
		}
	}
	for _, item := range before {
		if !slices.Contains(s, item) {
			diff = append(diff, "- "+item)
		}
	}
	return diff
}

// running are the processes but for zombies and this process.
func running() []int {
	return slices.DeleteFunc(process.All(), func(pid int) bool {
		stat, err := process.ReadStat(pid)
		return err != nil || stat.State == 'Z' || pid == os.Getpid()
	})
}

func processes() ([]string, error) {
	var items []string
	for _, pid := range running() {
		line, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
		items = append(items, fmt.Sprintf("%d %s", pid, strings.ReplaceAll(string(line), "\x00", " ")))
	}
	return items, nil
}

func namespaces() ([]string, error) {
	var items []string
	for _, pid := range running() {
		dir := "/proc/" + strconv.Itoa(pid) + "/ns"
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
				items = append(items, target)
			}
		}
	}
	return items, nil
}

func links() ([]string, error) {
	all, err := netlink.LinkList()
	var items []string
	for _, l := range all {
		items = append(items, l.Attrs().Name)
	}
	return items, err
}

func routes() ([]string, error) {
	all, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	var items []string
	for _, r := range all {
		items = append(items, r.String())
	}
	return items, err
}

func rules() ([]string, error) {
	nft, err := nftables.New()
	if err != nil {
		return nil, err
	}
	chains, err := nft.ListChains()
	if err != nil {
		return nil, err
	}
	var items []string
	for _, c := range chains {
		all, err := nft.GetRules(c.Table, c)
		if err != nil {
			return nil, err
		}
		items = append(items, fmt.Sprintf("%s %s with %d rules", c.Table.Name, c.Name, len(all)))
	}
	tables, err := nft.ListTables()
	for _, t := range tables {
		items = append(items, t.Name)
	}
	return items, err
}

func mounts() ([]string, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	return slices.Collect(strings.Lines(string(text))), err
}

func users() ([]string, error) {
	text, err := os.ReadFile("/etc/passwd")
	return slices.Collect(strings.Lines(string(text))), err
}

func groups() ([]string, error) {
	var items []string
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			items = append(items, path)
		}
		return nil
	})
	return items, err
}

func listeners() ([]string, error) {
	var items []string
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"} {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			const listening, unconnected = "0A", "07"
			if f := strings.Fields(line); len(f) > 3 && (f[3] == listening || f[3] == unconnected) {
				items = append(items, filepath.Base(file)+" "+f[1])
			}
		}
	}
	return items, nil
}

func sysctls() ([]string, error) {
	var items []string
	err := filepath.WalkDir("/proc/sys/net/ipv4", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		if value, err := os.ReadFile(path); err == nil {
			items = append(items, path+" = "+strings.TrimSpace(string(value)))
		}
		return nil
	})
	return items, err
}
