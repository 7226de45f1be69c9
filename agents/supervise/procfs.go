package supervise

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// stat is what /proc/PID/stat says of a process, as far as it matters here.
type stat struct {
	PID, Parent, Session int
	Zombie               bool
	StartTime            uint64 // clock ticks after boot
}

// parseStat reads /proc/PID/stat as proc(5) describes it. The second field is
// the program's own name in parentheses, which may contain anything.
func parseStat(b []byte) (stat, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("read process status %.40q: no name in parentheses", b)
	}
	f := strings.Fields(string(b[end+1:])) // f[0] is field 3
	if len(f) < 20 {
		return stat{}, fmt.Errorf("read process status %.40q: too short", b)
	}
	var s stat
	var err error
	for _, n := range []struct {
		to   *int
		text string
	}{{&s.PID, string(bytes.TrimSpace(b[:open]))}, {&s.Parent, f[1]}, {&s.Session, f[3]}} {
		if *n.to, err = strconv.Atoi(n.text); err != nil {
			return stat{}, fmt.Errorf("read process status: %w", err)
		}
	}
	s.Zombie = f[0] == "Z" || f[0] == "X"
	s.StartTime, err = strconv.ParseUint(f[19], 10, 64)
	return s, err
}

func readStat(pid int) (stat, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, err
	}
	return parseStat(b)
}

// allStats lists the processes in sight; those that end meanwhile are left out.
func allStats() []stat {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	var out []stat
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil {
			out = append(out, s)
		}
	}
	return out
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// alive says whether the process of this identity still runs. A zombie does
// not.
func (id Identity) alive(boot string) bool {
	if id.PID == 0 || id.BootID != boot {
		return false
	}
	s, err := readStat(id.PID)
	return err == nil && s.StartTime == id.StartTime && !s.Zombie
}

// family lists the living processes that belong to the main process id, which
// may be dead: those of its session and, while it lives, its descendants.
//
// A session's number is not given to a new process while the session has
// members, so if it now names another process, nothing of ours is left.
func (id Identity) family(boot string, all []stat) []int {
	if id.BootID != boot {
		return nil
	}
	ours := map[int]bool{}
	for _, s := range all {
		if s.PID == id.PID {
			if s.StartTime != id.StartTime {
				return nil
			}
			ours[s.PID] = true
		}
	}
	var out []int
	for grown := true; grown; {
		grown = false
		for _, s := range all {
			if member := s.Session == id.PID || ours[s.Parent]; member && !ours[s.PID] {
				ours[s.PID], grown = true, true
			}
		}
	}
	for _, s := range all {
		if ours[s.PID] && !s.Zombie {
			out = append(out, s.PID)
		}
	}
	return out
}
