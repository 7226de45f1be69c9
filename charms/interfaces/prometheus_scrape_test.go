package interfaces_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
)

func TestAScrapesBagIsValidAndInPrometheussTerms(t *testing.T) {
	bag := interfaces.Scrape{
		Model: "m", Application: "db", Charm: "postgresql",
		Jobs:  []interfaces.ScrapeJob{{Port: 9187}, {Name: "patroni", Port: 8008, Path: "/m"}},
		Rules: []interfaces.AlertRule{{Alert: "Down", Expr: "up == 0", For: "1m"}},
	}.Bag()
	if err := interfaces.Validate(interfaces.Bag{Interface: interfaces.PrometheusScrape, Provider: true, Application: true, Data: bag}); err != nil {
		t.Fatal(err)
	}
	var jobs []struct {
		Path    string                       `json:"metrics_path"`
		Configs []struct{ Targets []string } `json:"static_configs"`
	}
	if err := json.Unmarshal([]byte(bag["scrape_jobs"]), &jobs); err != nil {
		t.Fatal(err)
	}
	if len(jobs) != 2 || jobs[0].Path != "/metrics" || jobs[0].Configs[0].Targets[0] != "*:9187" || jobs[1].Path != "/m" {
		t.Errorf("scrape_jobs: %s", bag["scrape_jobs"])
	}
	if !strings.Contains(bag["alert_rules"], `{"alert":"Down","expr":"up == 0","for":"1m"}`) {
		t.Errorf("alert_rules: %s", bag["alert_rules"])
	}
}

func TestAScrapesBagIsJSON(t *testing.T) {
	err := interfaces.Validate(interfaces.Bag{
		Interface: interfaces.PrometheusScrape, Provider: true, Application: true,
		Data: map[string]string{"scrape_jobs": "{}", "alert_rules": "[]"},
	})
	if err == nil || !strings.Contains(err.Error(), "JSON list of objects") || !strings.Contains(err.Error(), "JSON object") {
		t.Errorf("both mistakes are named: %v", err)
	}
}
