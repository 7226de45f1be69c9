package controller

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// fetch gets a page as the bearer of a context.
func fetch(t *testing.T, address string, c *tls.Config, path string) (code int, body string, err error) {
	t.Helper()
	c = c.Clone()
	c.NextProtos = []string{"h2", "http/1.1"} // as curl and Prometheus offer
	h := http.Client{Transport: &http.Transport{TLSClientConfig: c}, Timeout: patience}
	defer h.CloseIdleConnections()
	r, err := h.Get("https://" + address + path)
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

func TestMetricsAreForAdministratorsBehindMutualTLS(t *testing.T) {
	w := begin(t, t.TempDir())
	at := w.ready.Addresses[0]
	admin := tlsOf(t, must(client.Load(w.ready.Admin))(t))
	if _, err := w.admin.Info(w.ctx); err != nil {
		t.Fatal(err)
	}
	code, text, err := fetch(t, at, admin, "/metrics")
	if err != nil || code != http.StatusOK {
		t.Fatalf("an administrator is told %d, %v: %s", code, err, text)
	}
	for _, line := range []string{
		"gantry_leader 1", `gantry_commits_total{outcome="committed"} `, "gantry_commit_seconds_count ", "gantry_log_store_seconds_count ",
		`gantry_requests_total{code="OK",route="/gantry.v1.Controller/Info"} 1`, "gantry_solver_rounds_total ", "gantry_term ", "gantry_log_bytes ",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %q in the metrics", line)
		}
	}
	if code, text, err := fetch(t, at, admin, "/debug/pprof/goroutine?debug=1"); err != nil || code != http.StatusOK || !strings.Contains(text, "goroutine profile") {
		t.Errorf("an administrator asks for a profile and is told %d, %v: %.100s", code, err, text)
	}
	host := tlsOf(t, must(client.Load(w.ready.Host))(t))
	for _, path := range []string{"/metrics", "/debug/pprof/heap"} {
		if code, text, err := fetch(t, at, host, path); err != nil || code != http.StatusForbidden || strings.Contains(text, "gantry_") {
			t.Errorf("a host agent asks for %s and is told %d, %v: %.100s", path, code, err, text)
		}
	}
	nobody := &tls.Config{RootCAs: admin.RootCAs, ServerName: admin.ServerName}
	if code, _, err := fetch(t, at, nobody, "/metrics"); err == nil {
		t.Errorf("one without a certificate is told %d", code)
	}
	var refused int
	query := operator.AuditQuery{Denied: true}
	if err := w.admin.ListAudit(w.ctx, query, func(list []operator.AuditRecord) error {
		for _, r := range list {
			if strings.HasPrefix(r.Route, "GET /") {
				refused++
			}
		}
		return nil
	}); err != nil || refused != 1 {
		t.Errorf("%d refused pages are on record (%v), wanted the first of them", refused, err)
	}
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestHealthSaysNothingButWhetherItIsWell(t *testing.T) {
	at := freeAddress(t)
	beginAlone(t, t.TempDir(), func(c *Config) { c.Health = at })
	for path, want := range map[string]string{"/healthz": "200 ok\n", "/readyz": "200 ok\n", "/metrics": "404 404 page not found\n", "/debug/pprof/": "404 404 page not found\n"} {
		got := ""
		for began := time.Now(); time.Since(began) < patience; {
			r, err := http.Get("http://" + at + path)
			if err != nil {
				continue // it is about to listen
			}
			b, _ := io.ReadAll(r.Body)
			_ = r.Body.Close()
			got = fmt.Sprintf("%d %s", r.StatusCode, b)
			break
		}
		if got != want {
			t.Errorf("%s says %q, wanted %q", path, got, want)
		}
	}
}

func TestHealthIsNotServedToOtherHosts(t *testing.T) {
	w := beginAlone(t, t.TempDir(), func(c *Config) { c.Health = "0.0.0.0:0" })
	if _, err := w.admin.Info(w.ctx); err != nil {
		t.Errorf("and that is no reason to stop: %v", err)
	}
}

func TestWhatAnAgentTellsIsJudged(t *testing.T) {
	w := begin(t, t.TempDir())
	w.pulse = &effect.Pulse{Now: time.Now().Add(time.Minute), Version: "test", Rounds: 7, Paths: []effect.Path{{To: w.ready.Addresses[0], Fault: "no route"}}}
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "web", Application: "web", Units: 1}))(t)
	w.converge("m")
	var last operator.Health
	for began := time.Now(); time.Since(began) < patience; {
		last = must(w.admin.Health(w.ctx))(t)
		if len(found(last, "clock")) == 0 || len(found(last, "agents' paths")) == 0 {
			continue
		}
		_, text, err := fetch(t, w.ready.Addresses[0], tlsOf(t, must(client.Load(w.ready.Admin))(t)), "/metrics")
		if line := `gantry_agent_rounds_total{machine="0",model="m"} 7`; err != nil || !strings.Contains(text, line) {
			t.Errorf("no %q in the metrics: %v", line, err)
		}
		return
	}
	t.Errorf("found %+v", last.Findings)
}

// found are what a check found amiss.
func found(h operator.Health, check string) (out []operator.Finding) {
	for _, f := range h.Findings {
		if f.Check == check && f.Level != operator.FindingOK {
			out = append(out, f)
		}
	}
	return out
}

func tlsOf(t *testing.T, c client.Context) *tls.Config {
	t.Helper()
	pair := must(tls.X509KeyPair(c.Certificate, c.Key))(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CA)
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: client.ServerName}
}
