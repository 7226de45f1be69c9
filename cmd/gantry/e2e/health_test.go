package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/observe/trace"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// onlyHealth checks that a port answers the documented paths in the documented
// words, and tells nothing else.
func onlyHealth(t *testing.T, address string) {
	t.Helper()
	for _, path := range []string{"/", "/metrics", "/debug/pprof/", "/healthz/x"} {
		if code, text := get(t, http.DefaultClient, "http://"+address+path); code != http.StatusNotFound || text != "404 page not found\n" {
			t.Errorf("%s of %s says %d %q", path, address, code, text)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, text := get(t, http.DefaultClient, "http://"+address+path); code != http.StatusOK || text != "ok\n" {
			t.Errorf("%s of %s says %d %q", path, address, code, text)
		}
	}
}

func get(t *testing.T, c *http.Client, url string) (int, string) {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// TestAnInstallTellsHowItFares asks a new install in every way.
func TestAnInstallTellsHowItFares(t *testing.T) {
	in := prepare(t)
	spans := filepath.Join(t.TempDir(), "trace.json")
	t.Setenv(trace.FileVariable, spans)
	in.up(t)
	in.gantry(t, "deploy", "beacon")
	in.gantry(t, "wait", "--timeout", "60s")
	in.gantry(t, "config", "beacon", "message=traced")
	eventually(t, 30*time.Second, "one trace leads from the command to the host", func() error { return followed(spans) })
	onlyHealth(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(in.port+1)))
	administrators(t, in)
	examined(t, in)
	if r := in.run(time.Minute, "metrics", "rules"); r.code != 0 || !strings.Contains(r.out, "gantry_ha_degraded") {
		t.Errorf("gantry metrics rules: exit %d, %s", r.code, r.out)
	}
}

// administrators may have metrics, nobody else.
func administrators(t *testing.T, in *install) {
	t.Helper()
	identity, err := client.Load(filepath.Join(in.dir, "controller", "admin.json"))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(identity.Certificate, identity.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(identity.CA)
	url := fmt.Sprintf("https://127.0.0.1:%d/metrics", in.port)
	as := func(pairs ...tls.Certificate) *http.Client {
		config := &tls.Config{RootCAs: roots, ServerName: client.ServerName, Certificates: pairs, NextProtos: []string{"h2", "http/1.1"}}
		return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: 10 * time.Second}
	}
	eventually(t, 30*time.Second, "the agent's figures are among the metrics", func() error {
		code, text := get(t, as(pair), url)
		for _, line := range []string{"gantry_leader 1", `gantry_agent_effects_total{machine="0",model="default"}`, `gantry_agent_services{machine="0",model="default",state="running"} `} {
			if code != http.StatusOK || !strings.Contains(text, line) {
				return fmt.Errorf("%d, no %q in %.200s", code, line, text)
			}
		}
		return nil
	})
	if code, text := get(t, as(), url); code != 0 {
		t.Errorf("without a certificate: %d %.100s", code, text)
	}
}

// examined runs doctor with the controller and without.
func examined(t *testing.T, in *install) {
	t.Helper()
	checks := func(r result) map[string]operator.FindingLevel {
		var list []operator.Finding
		if err := json.Unmarshal([]byte(r.out), &list); err != nil {
			t.Fatalf("doctor: exit %d, %v\n%s%s", r.code, err, r.out, r.err)
		}
		levels := map[string]operator.FindingLevel{}
		for _, f := range list {
			levels[f.Check] = f.Level
			if f.Level != operator.FindingOK && (f.Why == "" || f.Do == "") {
				t.Errorf("no reason or no remedy: %+v", f)
			}
		}
		return levels
	}
	with := checks(in.run(time.Minute, "doctor", "-o", "json"))
	for _, check := range []string{"kernel", "cgroups", "limits", "disk", "controller", "quorum", "clock", "certificates", "backups", "history", "agents", "versions"} {
		if with[check] == "" {
			t.Errorf("doctor has no check %q: %v", check, with)
		}
	}
	if with["controller"] != operator.FindingOK || with["quorum"] != operator.FindingOK {
		t.Errorf("doctor finds %v", with)
	}
	nowhere := filepath.Join(t.TempDir(), "context.json")
	identity, err := os.ReadFile(filepath.Join(in.dir, "controller", "admin.json"))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := strings.ReplaceAll(string(identity), fmt.Sprintf(":%d", in.port), ":9")
	if err := os.WriteFile(nowhere, []byte(elsewhere), 0o600); err != nil {
		t.Fatal(err)
	}
	r := in.run(time.Minute, "doctor", "-o", "json", "--context", nowhere)
	if without := checks(r); r.code != 1 || without["controller"] != operator.FindingBad || without["kernel"] == "" {
		t.Errorf("without a controller doctor exits with %d and finds %v", r.code, without)
	}
}

// followed finds the trace of the change of a configuration in a file.
func followed(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	traces, of := map[string][]string{}, ""
	for d := json.NewDecoder(f); ; {
		var span struct {
			Name        string
			SpanContext struct{ TraceID string }
		}
		if err := d.Decode(&span); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		id := span.SpanContext.TraceID
		traces[id] = append(traces[id], span.Name)
		if span.Name == "gantry config" {
			of = id
		}
	}
	for _, part := range []string{"request /gantry.v1.Settings/SetConfig", "commit", "solve", "push", "ask", "effect write file/message"} {
		if !slices.Contains(traces[of], part) {
			return fmt.Errorf("no %q in %q", part, traces[of])
		}
	}
	return nil
}
