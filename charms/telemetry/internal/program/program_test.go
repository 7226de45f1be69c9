package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/audit"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/pgtest"
)

// log is where a program writes while its test reads.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// trial is a program on trial: its files, and while it runs, its handles.
type trial struct {
	t         *testing.T
	server    *pgtest.Server
	directory string
	listen    string
	rate      int
	apids     string
	database  string
	command   string
	section   string // of the configuration, on the topic

	log    *log
	stop   context.CancelFunc
	reload chan os.Signal
	exit   chan error
}

func newTrial(t *testing.T, server *pgtest.Server) *trial {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close() // only its port was wanted
	trial := &trial{
		t: t, server: server, directory: t.TempDir(), listen: listener.Addr().String(),
		rate: 200, apids: "[100, 101, 102]", database: pgtest.Database, command: "serve",
	}
	if err := os.WriteFile(trial.file("password"), []byte(pgtest.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return trial
}

func (p *trial) file(name string) string { return filepath.Join(p.directory, name) }

func (p *trial) configure() {
	p.t.Helper()
	text := fmt.Sprintf(`source: telemetry/0
spacecraft: 42
apids: %s
rate: %d
ledger: %s
listen: %s
timeout: 2s
grace: 5s
archive:
  endpoints: ["%s"]
  user: %s
  password-file: %s
  database: %s
%s`, p.apids, p.rate, p.file("ledger"), p.listen, p.server.Endpoint, pgtest.User, p.file("password"), p.database, p.section)
	if err := os.WriteFile(p.file("config.yaml"), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *trial) start() {
	p.t.Helper()
	p.configure()
	ctx, cancel := context.WithCancel(context.Background())
	p.log, p.stop, p.reload, p.exit = &log{}, cancel, make(chan os.Signal), make(chan error, 1)
	p.t.Cleanup(cancel)
	go func() {
		p.exit <- run(ctx, p.reload, []string{p.command, "--config", p.file("config.yaml")}, io.Discard, p.log)
	}()
}

// end stops the program as SIGTERM does and wants no error.
func (p *trial) end() {
	p.t.Helper()
	p.stop()
	select {
	case err := <-p.exit:
		if err != nil {
			p.t.Fatalf("ended with %v:\n%s", err, p.log)
		}
	case <-time.After(10 * time.Second):
		p.t.Fatalf("the program does not end:\n%s", p.log)
	}
}

func (p *trial) get(path string) (string, error) {
	response, err := http.Get("http://" + p.listen + path)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, response.Status)
	}
	return string(body), err
}

func (p *trial) count() (c count, err error) {
	body, err := p.get("/count")
	if err == nil {
		err = json.Unmarshal([]byte(body), &c)
	}
	return c, err
}

func (p *trial) await(what string, done func() bool) {
	p.t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-poll.C {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited too long for %s:\n%s", what, p.log)
		}
	}
}

func (p *trial) awaitAcknowledged(n int64) {
	p.t.Helper()
	p.await(fmt.Sprintf("%d acknowledged packets", n), func() bool {
		c, err := p.count()
		return err == nil && c.Acknowledged >= n
	})
}

// audit audits the archive by psql and wants it to end with the error.
func (p *trial) audit(want error) audit.Report {
	p.t.Helper()
	return p.auditOf(pgtest.Database, want)
}

func (p *trial) auditOf(database string, want error) audit.Report {
	p.t.Helper()
	var stdout, stderr bytes.Buffer
	err := run(p.t.Context(), nil, []string{"audit", "--ledger", p.file("ledger"), "--source", "telemetry/0", "--psql", p.server.DSN(database)}, &stdout, &stderr)
	if !errors.Is(err, want) {
		p.t.Fatalf("audit ends with %v, want %v:\n%s%s", err, want, stdout.String(), stderr.String())
	}
	var report audit.Report
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		p.t.Fatal(err)
	}
	return report
}

func TestNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	server := pgtest.New(t)
	before := runtime.NumGoroutine()
	p := newTrial(t, server)
	p.start()
	p.awaitAcknowledged(200)
	if r := p.audit(nil); r.Rows < 200 {
		t.Errorf("an audit of the running program sees %d rows, want 200 or more", r.Rows)
	}

	server.Kill(t)
	p.await("the connections to be lost", func() bool {
		body, err := p.get("/healthz")
		return err == nil && strings.Contains(body, `"archive-sessions":0`)
	})
	if c, err := p.count(); err != nil || c.Rows != nil || c.Problem == "" {
		t.Errorf("without a server /count is %+v with error %v, want a problem", c, err)
	}
	server.Start(t)
	p.awaitAcknowledged(600)
	p.end()

	var ownReport, summary bytes.Buffer
	if err := AuditConfigured(t.Context(), p.file("config.yaml"), &ownReport, &summary); err != nil || !strings.Contains(summary.String(), "agrees") {
		t.Errorf("an audit by the configuration ends with %v:\n%s", err, summary.String())
	}
	r := p.audit(nil)
	if r.Acknowledged != r.Rows || r.InFlight != 0 || r.Unknown.Open != 0 {
		t.Errorf("after the end some outcomes are open: %+v", r)
	}
	if r.Writes.MaxGap < 0.1 {
		t.Errorf("the longest write gap is %v s although the server was gone", r.Writes.MaxGap)
	}
	t.Logf("%d packets, %.0f a second, gap %.2f s, unknown %+v", r.Acknowledged, r.Writes.AcknowledgedRate, r.Writes.MaxGap, r.Unknown)
	http.DefaultClient.CloseIdleConnections()
	p.await("the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	plantFaults(t, p, r)
}

// plantFaults damages the archive in each way and wants it found.
func plantFaults(t *testing.T, p *trial, clean audit.Report) {
	const first = "(SELECT id FROM telemetry_packet ORDER BY id OFFSET %d LIMIT 1)"
	p.server.Exec(t, "INSERT INTO telemetry_packet SELECT * FROM telemetry_packet WHERE id = "+fmt.Sprintf(first, 10))
	if r := p.audit(ErrFaults); r.Duplicate.Count != 1 || r.Faults() != 1 {
		t.Errorf("one duplicate was planted: %+v", r)
	}
	p.server.Exec(t, "DELETE FROM telemetry_packet WHERE id = "+fmt.Sprintf(first, 20))
	if r := p.audit(ErrFaults); r.Missing.Count != 1 || r.Faults() != 2 {
		t.Errorf("one row was deleted: %+v", r)
	}
	p.server.Exec(t, "UPDATE telemetry_packet SET packet = packet || '\\x00' WHERE id = "+fmt.Sprintf(first, 30))
	if r := p.audit(ErrFaults); r.Altered.Count != 1 || r.Faults() != 3 {
		t.Errorf("one packet was altered: %+v", r)
	}
	p.server.Exec(t, `INSERT INTO telemetry_packet (id, source, spacecraft, apid, sequence_count, generated, packet)
		VALUES ('0123abcd-0000-0000-0000-000000000001', 'telemetry/0', 1, 1, 1, now(), '')`)
	r := p.audit(ErrFaults)
	if r.Phantom.Count != 1 || r.Phantom.First[0] != "0123abcd-0000-0000-0000-000000000001" || r.Faults() != 4 {
		t.Errorf("one phantom was planted: %+v", r)
	}
	if r.Acknowledged != clean.Acknowledged || r.Rows != clean.Rows+1 {
		t.Errorf("%d acknowledged and %d rows, want %d and %d", r.Acknowledged, r.Rows, clean.Acknowledged, clean.Rows+1)
	}
}

func TestAReloadChangesRateAndTargetAndARestartGoesOn(t *testing.T) {
	server := pgtest.New(t)
	server.Exec(t, "CREATE DATABASE other")
	p := newTrial(t, server)
	p.rate = 20
	p.start()
	p.awaitAcknowledged(5)

	p.rate, p.apids, p.database = 400, "[100, 200]", "other"
	p.configure()
	p.reload <- syscall.SIGHUP
	p.await("packets in the new target", func() bool {
		c, err := p.count()
		return err == nil && c.Rows != nil && *c.Rows > 100
	})
	page, err := p.get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`telemetry_packets_made_total{apid="200"}`, `telemetry_ledger_records_total{event="acked"}`, "telemetry_commit_seconds_bucket", "telemetry_archive_sessions 4"} {
		if !strings.Contains(page, want) {
			t.Errorf("metrics lack %s", want)
		}
	}

	p.listen, p.rate = "127.0.0.1:1", 1
	p.configure()
	p.reload <- syscall.SIGHUP
	p.await("the refusal", func() bool { return strings.Contains(p.log.String(), "configuration is not taken up") })
	p.listen = ""
	p.end()

	former, present := p.audit(ErrFaults), p.auditOf("other", ErrFaults)
	if former.Rows == 0 || former.Rows+present.Rows != present.Acknowledged || present.Missing.Count != former.Rows {
		t.Errorf("the former target has %d rows and the present %+v, want all that is acknowledged between them", former.Rows, present)
	}

	p.listen, p.rate = newTrial(t, server).listen, 200
	p.start()
	p.awaitAcknowledged(int64(present.Acknowledged) + 20)
	p.end()
}

func TestPacketsOfTheArchiveDecode(t *testing.T) {
	g, err := newGenerator(config{Spacecraft: 42, Rate: 1, APIDs: []packet.APID{100}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for serial := range uint16(3) {
		made, err := g.next(now)
		if err != nil {
			t.Fatal(err)
		}
		p, err := packet.Decode(made.Octets)
		if err != nil {
			t.Fatal(err)
		}
		if p.Header.APID != 100 || made.APID != 100 || p.Header.Count != serial || made.Count != serial || !made.Generated.Equal(now) || made.Spacecraft != 42 {
			t.Errorf("packet %d: made %+v of %+v", serial, made, p.Header)
		}
	}
}

func TestCommandLinesThatAreRefused(t *testing.T) {
	without := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(without, []byte(valid), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"no command":                        {nil, "usage:"},
		"an unknown command":                {[]string{"fly"}, `no command "fly"`},
		"serve without a configuration":     {[]string{"serve"}, "--config"},
		"serve with a file that is missing": {[]string{"serve", "--config", "/nonexistent"}, "read configuration"},
		"produce without a topic":           {[]string{"produce", "--config", without}, "produce needs a topic"},
		"archive without a topic":           {[]string{"archive", "--config", without}, "archive needs a topic"},
		"archive without a configuration":   {[]string{"archive"}, "archive takes --config"},
		"audit without a ledger":            {[]string{"audit", "--psql", "x"}, "--ledger"},
		"audit of a ledger that is missing": {[]string{"audit", "--ledger", "/nonexistent", "--psql", "x"}, "no such file"},
		"audit without a psql":              {[]string{"audit", "--ledger", "/dev/null", "--psql", "x", "--client", "/nonexistent"}, "postgresql-client"},
		"audit without an archive":          {[]string{"audit", "--ledger", "/dev/null", "--psql", "host=127.0.0.1 port=1"}, "read the archive by psql"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), nil, test.args, io.Discard, io.Discard)
			if err == nil || errors.Is(err, ErrFaults) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %q", err, test.says)
			}
		})
	}
}
