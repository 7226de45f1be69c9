package interfaces

// The interfaces of an agent that observes its machine, of dashboards, and of
// who sends alerts on.
const (
	COSAgent             = "cos_agent"
	GrafanaDashboard     = "grafana_dashboard"
	AlertmanagerDispatch = "alertmanager_dispatch"
)

var cosAgent = Schema{
	Interface: COSAgent, Version: 1,
	Provider: Side{Unit: []Key{{
		Name: "config", Required: true, Check: isJSONObject,
		Doc: "metrics_scrape_jobs, metrics_alert_rules and dashboards, as a JSON object",
	}}},
}

var grafanaDashboard = Schema{
	Interface: GrafanaDashboard, Version: 1,
	Provider: Side{Application: []Key{{Name: "dashboards", Required: true, Doc: "the dashboards, in JSON", Check: isJSON}}},
}

var alertmanagerDispatch = Schema{
	Interface: AlertmanagerDispatch, Version: 1,
	Provider: Side{Unit: []Key{{Name: "url", Required: true, Doc: "where alerts are sent", Check: isURL}}},
}
