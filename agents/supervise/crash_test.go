package supervise

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
)

// A supervisor is killed while it starts several services, after none of them
// has been started, after one, and so on. Whatever it was doing, in the end
// each service runs exactly once.
func TestSupervisorKilledWhileItStartsLeavesNoSecondProcess(t *testing.T) {
	const services = 6
	dir := shortDir(t)
	marker := fmt.Sprintf("%d.5", 1_000_000+os.Getpid())
	spec := func(i int) Spec {
		return Spec{ID: fmt.Sprintf("s/%d", i), Command: []string{"sleep", marker}, Backoff: quick}
	}
	for killAfter := range services {
		d := startDaemon(t, dir)
		c := connect(t, dir)
		returned := make(chan error, services)
		for i := range services {
			go func() {
				_, err := c.Restart(t.Context(), spec(i))
				returned <- err
			}()
		}
		for range killAfter {
			<-returned
		}
		d.end(syscall.SIGKILL)
		for range services - killAfter {
			<-returned
		}
	}
	startDaemon(t, dir)
	c := connect(t, dir)
	for i := range services {
		mustStart(t, c, spec(i))
	}
	untilFile(t, os.DevNull, func(string) bool { return countCommand(marker) == services })
	list, err := c.List(t.Context())
	if err != nil || len(list) != services {
		t.Fatalf("list %v, %v", list, err)
	}
	for _, p := range list {
		if p.State != Running || !running(p.PID) {
			t.Errorf("%+v", p)
		}
	}
}

// countCommand counts the living processes that have the argument.
func countCommand(arg string) int {
	n := 0
	for _, s := range allStats() {
		b, _ := os.ReadFile("/proc/" + itoa(s.PID) + "/cmdline")
		if !s.Zombie && bytes.Contains(b, []byte("\x00"+arg+"\x00")) {
			n++
		}
	}
	return n
}
