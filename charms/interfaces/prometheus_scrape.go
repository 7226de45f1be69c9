package interfaces

import (
	"encoding/json"
	"fmt"
)

// PrometheusScrape is the interface of what is measured and who collects it.
const PrometheusScrape = "prometheus_scrape"

var prometheusScrape = Schema{
	Interface: PrometheusScrape, Version: 1,
	Provider: Side{
		Application: []Key{
			{Name: "scrape_jobs", Doc: "what to scrape, as a JSON list of jobs in Prometheus's terms", Check: isJSONObjects},
			{Name: "scrape_metadata", Doc: "what the jobs are of, as a JSON object", Check: isJSONObject},
			{Name: "alert_rules", Doc: "groups of alerting rules, as a JSON object in Prometheus's terms", Check: isJSONObject},
		},
		Unit: []Key{
			{Name: "prometheus_scrape_unit_address", Doc: "where a unit is scraped"},
			{Name: "prometheus_scrape_unit_name", Doc: "the unit's name"},
			{Name: "prometheus_scrape_unit_path", Doc: "what comes before the path of each job"},
		},
	},
}

// ScrapeJob is one job of Prometheus on every unit.
type ScrapeJob struct {
	Name string // "" for Prometheus's own choice
	Port int
	Path string // "" for /metrics
}

// AlertRule is one alerting rule of Prometheus.
type AlertRule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Scrape is what a provider of prometheus_scrape says of its application.
type Scrape struct {
	Model       string
	Application string
	Charm       string
	Jobs        []ScrapeJob
	Rules       []AlertRule
}

// Bag is the application's bag. The units' addresses take the place of *.
func (s Scrape) Bag() map[string]string {
	type targets struct {
		Targets []string `json:"targets"`
	}
	type job struct {
		Name    string    `json:"job_name,omitempty"`
		Path    string    `json:"metrics_path"`
		Targets []targets `json:"static_configs"`
	}
	jobs := []job{}
	for _, j := range s.Jobs {
		path := j.Path
		if path == "" {
			path = "/metrics"
		}
		jobs = append(jobs, job{Name: j.Name, Path: path, Targets: []targets{{Targets: []string{fmt.Sprintf("*:%d", j.Port)}}}})
	}
	bag := map[string]string{
		"scrape_jobs":     encode(jobs),
		"scrape_metadata": encode(map[string]string{"model": s.Model, "application": s.Application, "charm_name": s.Charm}),
	}
	if len(s.Rules) > 0 {
		bag["alert_rules"] = encode(map[string]any{"groups": []any{map[string]any{"name": s.Model + "_" + s.Application, "rules": s.Rules}}})
	}
	return bag
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("interfaces: a bag does not encode: " + err.Error())
	}
	return string(b)
}

func isJSONObjects(value string) error {
	var list []map[string]any
	if err := json.Unmarshal([]byte(value), &list); err != nil {
		return fmt.Errorf("expected a JSON list of objects: %w", err)
	}
	return nil
}

func isJSONObject(value string) error {
	var object map[string]any
	if err := json.Unmarshal([]byte(value), &object); err != nil {
		return fmt.Errorf("expected a JSON object: %w", err)
	}
	return nil
}
