package load

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"testing"
)

// controllerProfiles is where the controller's process leaves its profiles.
const controllerProfiles = "GANTRY_LOAD_PROFILES"

// profiled has the controller's profiles of a phase kept, where -profiles says
// so: of the processor's time in it, and of the heap and the goroutines at its
// end.
func (p *process) profiled(b *testing.B, name string, phase func()) {
	b.Helper()
	if *profiles == "" {
		phase()
		return
	}
	toggle := func() {
		_, err := fmt.Fprintln(p.in, name)
		must(b, err)
		_, err = p.out.ReadString('\n')
		must(b, err)
	}
	toggle()
	defer toggle()
	phase()
}

// profile begins a phase, or ends it, at each line that names it, until there
// are no more.
func profile(dir string, phases io.Reader, done io.Writer) error {
	var f *os.File
	for lines := bufio.NewScanner(phases); lines.Scan(); fmt.Fprintln(done) {
		name := filepath.Join(dir, fmt.Sprintf("%s-%d", lines.Text(), os.Getpid()))
		var err error
		if f == nil {
			if f, err = os.Create(name + ".cpu"); err != nil {
				return err
			}
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			continue
		}
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			return err
		}
		f = nil
		for _, kind := range []string{"heap", "goroutine", "allocs", "mutex"} {
			if err := keep(kind, name+"."+kind); err != nil {
				return err
			}
		}
	}
	return nil
}

func keep(kind, name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := pprof.Lookup(kind).WriteTo(f, 0); err != nil {
		return err
	}
	return f.Close()
}
