package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// telling is a shell whose progress goes to a buffer.
func telling(out *bytes.Buffer) *shell {
	return &shell{Config: Config{Stderr: out, Now: time.Now}}
}

func TestWhatTakesLessThanASecondIsNotTalkedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := telling(&out).begin("deploying")
		time.Sleep(900 * time.Millisecond)
		p.tell("still deploying")
		if took := p.end(); took != 900*time.Millisecond {
			t.Errorf("took %v", took)
		}
		if out.Len() > 0 {
			t.Errorf("printed %q", out.String())
		}
	})
}

func TestWithoutATerminalEveryChangeIsALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := telling(&out).begin("one")
		time.Sleep(3500 * time.Millisecond)
		p.tell("two")
		time.Sleep(2 * time.Second)
		p.tell("two")
		p.end()
		if diff := cmp.Diff("    1s  one\n    4s  two\n", out.String()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWithoutATerminalTheSameGistIsALineAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := telling(&out).begin("one")
		time.Sleep(500 * time.Millisecond)
		for range 65 {
			p.tellOf("waiting for a", "waiting for a, which installs")
			time.Sleep(time.Second)
		}
		p.end()
		text := "waiting for a, which installs\n"
		if diff := cmp.Diff("    1s  "+text+"  1m1s  "+text, out.String()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOnATerminalOneLineChangesAndGoesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := telling(&out).begin(strings.Repeat("x", 50))
		p.width = 20
		time.Sleep(2500 * time.Millisecond)
		p.end()
		line := func(at string) string { return "\r\x1b[K    " + at + "  " + strings.Repeat("x", 10) + "…" }
		if diff := cmp.Diff(line("1s")+line("2s")+"\r\x1b[K", out.String()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestQuietMeansNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		sh := telling(&out)
		sh.flags.quiet = true
		p := sh.begin("deploying")
		time.Sleep(5 * time.Second)
		p.end()
		if out.Len() > 0 {
			t.Errorf("printed %q", out.String())
		}
	})
}
