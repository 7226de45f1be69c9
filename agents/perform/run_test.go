package perform_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/agents/perform"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

func TestACommandGetsItsEnvironmentAndInput(t *testing.T) {
	out, err := perform.Command{
		Argv: []string{"sh", "-c", `echo "$GREETING $LANG $(cat)"; echo oops >&2; exit 3`}, Env: map[string]string{"GREETING": "hello"}, Stdin: []byte("there"),
	}.Run(t.Context())
	if err != nil || out.Code != 3 || out.Stdout != "hello C.UTF-8 there\n" || out.Stderr != "oops\n" {
		t.Errorf("output %+v, %v", out, err)
	}
}

func TestACommandIsKilledWithItsWholeGroup(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := perform.Command{Argv: []string{"sh", "-c", "sleep 100 & echo $! > " + pidFile + "; wait"}}.Run(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d of the group lives on", pid)
		}
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func TestOutputIsBoundedToItsEnd(t *testing.T) {
	out, err := perform.Command{Argv: []string{"sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo end"}}.Run(t.Context())
	if err != nil || len(out.Stdout) != 256<<10 || !strings.HasSuffix(out.Stdout, "xend\n") {
		t.Errorf("%d bytes, %v", len(out.Stdout), err)
	}
	if said := out.Truncated(); said != "output cut at 256 KiB of 3000004 bytes: its end is kept" {
		t.Errorf("it says %q", said)
	}
	out, err = perform.Command{Argv: []string{"sh", "-c", "head -c 262144 /dev/zero"}}.Run(t.Context())
	if said := out.Truncated(); err != nil || said != "" {
		t.Errorf("of an output that was kept whole it says %q (%v)", said, err)
	}
}

func TestACommandRunsAsItsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		_, err := perform.Command{Argv: []string{"id"}, User: "nobody"}.Run(t.Context())
		if !errors.Is(err, model.ErrDenied) {
			t.Errorf("error = %v, want denied", err)
		}
		return
	}
	out, err := perform.Command{Argv: []string{"id", "-un"}, User: "nobody"}.Run(t.Context())
	if err != nil || out.Stdout != "nobody\n" {
		t.Errorf("output %+v, %v", out, err)
	}
	if _, err := (perform.Command{Argv: []string{"id"}, User: "no-such-user"}).Run(t.Context()); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("error = %v, want not found", err)
	}
}

func TestProbes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		if r.Header.Get("Authorization") == "Bearer s3cret" {
			_, _ = w.Write([]byte(`{"role":"replica","replication":[{"lag":12345678901234567}],"timeline":null}`))
		}
	}))
	defer server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := listener.Addr().String()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	shut := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(" text \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bearer := map[string]effect.Content{"Authorization": {{Text: "Bearer "}, {Secret: &effect.SecretRef{Field: "token"}}}}
	tests := []struct {
		name    string
		probe   effect.Probe
		want    string
		unknown bool
	}{
		{"http without select is its status code", effect.Probe{HTTP: &effect.HTTPProbe{URL: server.URL}}, "503", false},
		{"http with select is what is found of it, whatever the status", effect.Probe{
			HTTP: &effect.HTTPProbe{URL: server.URL, Header: bearer}, Select: []string{"role", "replication.0.lag", "no.such", "timeline"},
		}, `{"replication.0.lag":12345678901234567,"role":"replica","timeline":null}`, false},
		{"http with select of what is not JSON is unknown", effect.Probe{HTTP: &effect.HTTPProbe{URL: server.URL}, Select: []string{"role"}}, "", true},
		{"http to nobody is unknown", effect.Probe{HTTP: &effect.HTTPProbe{URL: "http://" + shut}}, "", true},
		{"tcp to a listener is true", effect.Probe{TCP: open}, "true", false},
		{"tcp to nobody is false", effect.Probe{TCP: shut}, "false", false},
		{"exec is its output", effect.Probe{Exec: &effect.Exec{Command: []string{"echo", " out "}}}, "out", false},
		{"exec that fails is unknown", effect.Probe{Exec: &effect.Exec{Command: []string{"false"}}}, "", true},
		{"exec that takes too long is unknown", effect.Probe{Exec: &effect.Exec{Command: []string{"sleep", "50"}}, Timeout: 50 * time.Millisecond}, "", true},
		{"a file is its text", effect.Probe{File: path}, "text", false},
		{"a file that is not there is empty", effect.Probe{File: path + "-no"}, "", false},
		{"a file that cannot be read is unknown", effect.Probe{File: filepath.Dir(path)}, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := perform.ReadProbe(t.Context(), vault{"token": "s3cret"}, nil, tt.probe)
			if got != tt.want || (err != nil) != tt.unknown {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestYieldsAreAwaited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "done")
	probes := []effect.Probe{{ID: "done", File: path}}
	yields := map[effect.ProbeID]string{"done": "yes"}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := perform.AwaitYields(ctx, vault{}, nil, yields, probes); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `probe done is "", not "yes"`) {
		t.Errorf("error = %v", err)
	}
	if err := os.WriteFile(path, []byte("yes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := perform.AwaitYields(t.Context(), vault{}, nil, yields, probes); err != nil {
		t.Error(err)
	}
}

func TestASecretIsMadeOfRandomLettersAndContent(t *testing.T) {
	spec := effect.SecretSpec{Name: "s", Fields: map[string]effect.SecretField{
		"password": {Random: 32}, "uri": {Content: effect.Content{{Text: "postgresql://u:"}, {Secret: &effect.SecretRef{Field: "p"}}}},
	}}
	fields, err := perform.MakeSecret(t.Context(), vault{"p": "pw"}, spec)
	if err != nil || len(fields["password"]) != 32 || string(fields["uri"]) != "postgresql://u:pw" {
		t.Errorf("fields %q, %v", fields, err)
	}
	again, err := perform.MakeSecret(t.Context(), vault{"p": "pw"}, spec)
	if err != nil || string(again["password"]) == string(fields["password"]) {
		t.Errorf("two secrets are alike (%v)", err)
	}
}
