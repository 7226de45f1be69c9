package metrics

import _ "embed" // of the rules

// Rules are alerts for Prometheus, in its own format.
//
//go:embed rules.yaml
var Rules string
