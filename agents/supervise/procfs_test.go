package supervise

import (
	"os"
	"slices"
	"testing"
)

func TestParseStatTakesAnyNameOfAProgram(t *testing.T) {
	rest := " S 12 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 20 18446744073709551615"
	for _, name := range []string{"sh", "a b", "a) R 1 1 1 (b", "(", "x\ny"} {
		s, err := parseStat([]byte("77 (" + name + ")" + rest))
		if want := (stat{PID: 77, Parent: 12, Session: 41, StartTime: 987654}); err != nil || s != want {
			t.Errorf("%q: %+v, %v", name, s, err)
		}
	}
	if s, err := parseStat([]byte("77 (z) Z" + rest[2:])); err != nil || !s.Zombie {
		t.Errorf("a zombie: %+v, %v", s, err)
	}
	for _, bad := range []string{"", "77", "77 (sh", "77 (sh) S 1", "x (sh)" + rest} {
		if s, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q read as %+v", bad, s)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("77 (sh) S 12 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = parseStat(b) })
}

func TestIdentityIsPidStartTimeAndBoot(t *testing.T) {
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	self, err := readStat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	id := Identity{PID: self.PID, StartTime: self.StartTime, BootID: boot}
	if !id.alive(boot) {
		t.Error("this process is not alive")
	}
	if id.alive("another boot") || (Identity{PID: id.PID, StartTime: id.StartTime + 1, BootID: boot}).alive(boot) {
		t.Error("another process passes for this one")
	}
}

func TestFamily(t *testing.T) {
	id := Identity{PID: 10, StartTime: 100, BootID: "b"}
	all := []stat{
		{PID: 1, StartTime: 1},
		{PID: 13, Parent: 12, Session: 12, StartTime: 130}, // before its parent in the list
		{PID: 10, Parent: 1, Session: 10, StartTime: 100},
		{PID: 11, Parent: 10, Session: 10, StartTime: 110},
		{PID: 12, Parent: 11, Session: 12, StartTime: 120}, // left the session
		{PID: 14, Parent: 1, Session: 10, StartTime: 140},  // orphan in the session
		{PID: 15, Parent: 10, Session: 10, Zombie: true, StartTime: 150},
		{PID: 20, Parent: 1, Session: 20, StartTime: 200},
	}
	for name, c := range map[string]struct {
		all  []stat
		boot string
		want []int
	}{
		"descendants and session of a living process":      {all, "b", []int{10, 11, 12, 13, 14}},
		"of a dead process only the session is known":      {without(all, 10), "b", []int{11, 12, 13, 14}},
		"a pid that was used again leaves nothing of ours": {append(without(all, 10), stat{PID: 10, Session: 10, StartTime: 999}), "b", nil},
		"nothing is left after a reboot":                   {all, "c", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := id.family(c.boot, c.all)
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("family %v, want %v", got, c.want)
			}
		})
	}
}

func without(all []stat, pid int) []stat {
	return slices.DeleteFunc(slices.Clone(all), func(s stat) bool { return s.PID == pid })
}
