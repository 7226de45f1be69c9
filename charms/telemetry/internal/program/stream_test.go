package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/audit"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/pgtest"
)

// freePort is an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close() // only its port was wanted
	return listener.Addr().String()
}

// archiving runs the command archive, and returns what ends it.
func archiving(t *testing.T, path string, reload chan os.Signal, out *log) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	exit := make(chan error, 1)
	go func() { exit <- run(ctx, reload, []string{"archive", "--config", path}, io.Discard, out) }()
	return func() {
		t.Helper()
		cancel()
		select {
		case err := <-exit:
			if err != nil {
				t.Fatalf("ended with %v:\n%s", err, out)
			}
		case <-time.After(time.Minute):
			t.Fatalf("the archiver does not end:\n%s", out)
		}
	}
}

// auditOwn audits by the trial's configuration, for at most so long.
func (p *trial) auditOwn(patience time.Duration) (audit.Report, error) {
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	var text, summary bytes.Buffer
	if err := AuditConfigured(ctx, p.file("config.yaml"), &text, &summary); err != nil {
		return audit.Report{}, err
	}
	var report audit.Report
	return report, json.Unmarshal(text.Bytes(), &report)
}

func TestPacketsGoThroughATopicIntoTheArchiveWhicheverPartIsAway(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(3, "telemetry"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	server := pgtest.New(t)
	p := newTrial(t, server)
	web := freePort(t)
	p.command = "produce"
	p.section = fmt.Sprintf("archiver: %s\ntopic: {name: telemetry, brokers: [%s]}\n", web, strings.Join(cluster.ListenAddrs(), ", "))
	p.start()
	p.awaitAcknowledged(50)
	if _, err := p.auditOwn(2 * time.Second); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an audit without an archiver ends with %v, want that it waits for one", err)
	}

	reload, text := make(chan os.Signal), &log{}
	end := archiving(t, p.file("config.yaml"), reload, text)
	if r, err := p.auditOwn(time.Minute); err != nil || r.Rows < 50 {
		t.Errorf("an audit of the running programs sees %d rows, with error %v", r.Rows, err)
	}
	server.Kill(t)
	seen, _ := p.count()
	p.awaitAcknowledged(seen.Acknowledged + 50)
	server.Start(t)
	end()

	web = freePort(t)
	p.section = strings.Replace(p.section, "archiver: ", "archiver: "+web+" # ", 1)
	p.configure()
	end = archiving(t, p.file("config.yaml"), reload, text)
	reload <- syscall.SIGHUP // nothing has changed
	p.end()
	r, err := p.auditOwn(time.Minute)
	if err != nil || r.Acknowledged != r.Rows || r.InFlight != 0 || r.Unknown.Open != 0 {
		t.Errorf("after the end %+v with error %v, want all acknowledged and archived", r, err)
	}
	p.listen = web
	page, err := p.get("/metrics")
	if err != nil || !strings.Contains(page, "telemetry_archiver_holds_topic 1") || !strings.Contains(page, "telemetry_archiver_behind_records 0") {
		t.Errorf("the archiver's metrics, with error %v:\n%s", err, page)
	}
	p.section = ""
	p.configure()
	reload <- syscall.SIGHUP
	p.await("the refusal", func() bool { return strings.Contains(text.String(), "configuration is not taken up") })
	end()
}
