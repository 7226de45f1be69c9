package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/provider/providertest"
)

// install is a gantry of its own on this host, with its state on a disk.
type install struct {
	dir    string
	config string // the operator's own, which is no part of the install
	port   int
	before providertest.Snapshot // of the host, before up
}

// prepare makes the directory of an install, which goes with the test.
func prepare(t testing.TB) *install {
	t.Helper()
	// /var/tmp is on a disk also where /tmp is not: overlays need a file system
	// that takes them.
	dir, err := os.MkdirTemp("/var/tmp", "gantry-e2e-")
	if err == nil {
		err = os.Chmod(dir, 0o711) // charms run as nobody below it
	}
	if err != nil {
		t.Fatal(err)
	}
	in := &install{dir: dir, config: t.TempDir(), port: freePorts(t, 20000+os.Getpid()%5000*2), before: providertest.Leftovers(t)}
	t.Cleanup(func() {
		if t.Failed() {
			in.tell(t)
		}
		if in.ours() {
			if r := in.run(2*time.Minute, "down", "--destroy"); r.code != 0 {
				t.Errorf("down --destroy: exit %d\n%s", r.code, r.err)
			}
		}
		_ = os.RemoveAll(dir)
	})
	return in
}

// freePorts finds two ports side by side, for requests and for health, from one
// on. They are below those that the kernel gives to connections.
func freePorts(t testing.TB, from int) int {
	t.Helper()
	for port := from; port < 32000; port += 2 {
		first, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		second, err := net.Listen("tcp", fmt.Sprintf(":%d", port+1))
		_ = first.Close()
		if err == nil {
			_ = second.Close()
			return port
		}
	}
	t.Fatal("no two ports side by side are free")
	return 0
}

// ours reports whether the install is still there.
func (in *install) ours() bool {
	_, err := os.Stat(in.dir + "/config.json")
	return err == nil
}

// open prepares an install and brings it up.
func open(t testing.TB) *install {
	t.Helper()
	in := prepare(t)
	in.up(t)
	return in
}

func (in *install) up(t testing.TB) result {
	t.Helper()
	r := in.run(time.Minute, "up", "--provider", "sandbox", "--port", strconv.Itoa(in.port))
	if r.code != 0 {
		t.Fatalf("gantry up: exit %d\n%s%s", r.code, r.out, r.err)
	}
	return r
}

// result is what a command did.
type result struct {
	out, err string
	code     int
	took     time.Duration
}

// run runs gantry as an operator would. A command that hangs is killed and has
// the code -1.
func (in *install) run(limit time.Duration, args ...string) result {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = root
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = append(os.Environ(), "GANTRY_STATE_DIR="+in.dir, "XDG_CONFIG_HOME="+in.config, "NO_COLOR=1")
	var out, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failed
	began := time.Now()
	err := cmd.Run()
	r := result{out: out.String(), err: failed.String(), took: time.Since(began)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		r.code, r.err = -1, r.err+fmt.Sprintf("\nno end after %v", limit)
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
	case err != nil:
		r.code, r.err = -1, r.err+err.Error()
	}
	return r
}

const commandLimit = 2 * time.Minute

// gantry runs a command that must succeed.
func (in *install) gantry(t testing.TB, args ...string) string {
	t.Helper()
	return in.patient(t, commandLimit, args...).out
}

// patient is gantry with another limit.
func (in *install) patient(t testing.TB, limit time.Duration, args ...string) result {
	t.Helper()
	r := in.run(limit, args...)
	if r.code != 0 {
		t.Fatalf("gantry %s: exit %d after %v\n%s%s", strings.Join(args, " "), r.code, r.took.Round(time.Millisecond), r.out, r.err)
	}
	return r
}

// ask runs a command that must succeed and decodes its JSON.
func ask[T any](t testing.TB, in *install, args ...string) T {
	t.Helper()
	return decode[T](t, in.gantry(t, append(args, "-o", "json")...))
}

func decode[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("answer is not JSON of %T: %v\n%s", v, err, text)
	}
	return v
}

// eventually polls until there is no error any more.
func eventually(t testing.TB, limit time.Duration, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v: %v", what, limit, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
