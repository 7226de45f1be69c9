package roles

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// defaultGateway reads the machine's default route from /proc/net/route, whose
// numbers are little-endian hexadecimal (Linux, fib_trie).
func defaultGateway() (string, error) {
	b, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return "", fmt.Errorf("find the host: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		var a, b, c, d byte
		if len(f) < 3 || f[1] != "00000000" {
			continue
		}
		if _, err := fmt.Sscanf(f[2], "%02X%02X%02X%02X", &d, &c, &b, &a); err != nil {
			return "", fmt.Errorf("find the host: default route %q: %w", f[2], err)
		}
		return net.IPv4(a, b, c, d).String(), nil
	}
	return "", errors.New("this machine has no default route: its host cannot be found")
}

// hostFacts looks at the machine.
func hostFacts(at place, lacks []string) effect.HostFacts {
	f := effect.HostFacts{Arch: runtime.GOARCH, Cores: runtime.NumCPU(), Lacks: lacks, DiskMiB: freeMiB(at.root), MemoryMiB: memoryMiB()}
	f.Hostname, _ = os.Hostname() // unknown is shown as such
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		f.BootID = strings.TrimSpace(string(b))
	}
	return f
}

// freeMiB is the free space of a directory's file system, 0 where unknown.
func freeMiB(dir string) int {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return 0
	}
	return int(fs.Bavail * uint64(fs.Bsize) >> 20)
}

// memoryMiB is the machine's memory, 0 where unknown.
func memoryMiB() int {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int(info.Totalram * uint64(info.Unit) >> 20)
}
