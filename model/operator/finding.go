package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// FindingLevel says how much a finding matters.
type FindingLevel string

// The levels, from what needs nobody to what cannot wait.
const (
	FindingOK   FindingLevel = "ok"
	FindingWarn FindingLevel = "warn"
	FindingBad  FindingLevel = "bad"
)

// Finding is what one check came to.
type Finding struct {
	Check   string       `json:"check"`             // such as clock
	Subject string       `json:"subject,omitempty"` // a host, a controller or a machine; empty: all of them
	Level   FindingLevel `json:"level"`
	What    string       `json:"what"`
	Why     string       `json:"why,omitempty"` // it matters
	Do      string       `json:"do,omitempty"`
	// Degrades is a fault of what several controllers are for: should another
	// thing fail, less is left than there should be.
	Degrades bool `json:"degrades_ha,omitempty"`
}

// Health is what was found last, and when that was.
type Health struct {
	Time     time.Time `json:"time"`
	Findings []Finding `json:"findings"`
}

// Degraded are the causes for which the controllers together are less than
// they should be.
func (h Health) Degraded() (causes []string) {
	for _, f := range h.Findings {
		if f.Degrades && f.Level != FindingOK {
			causes = append(causes, f.Text())
		}
	}
	return causes
}

// Text is the finding in one line.
func (f Finding) Text() string {
	if f.Subject == "" {
		return f.What
	}
	return f.Subject + ": " + f.What
}

// Vitals is what a controller measures of itself and of its ways to others.
type Vitals struct {
	ID          string        `json:"id"`
	Version     string        `json:"version"`
	Now         time.Time     `json:"now"` // by its clock
	Fsync       time.Duration `json:"fsync"`
	DiskFreeMiB int           `json:"disk_free_mib"`
	DiskMiB     int           `json:"disk_mib"`
	Certificate Validity      `json:"certificate"` // its own
	Authority   Validity      `json:"authority"`
	HistoryLag  int           `json:"history_lag"`               // rows that wait to be written
	HistoryBad  string        `json:"history_trouble,omitempty"` // why they cannot be
	Paths       []effect.Path `json:"paths,omitempty"`           // to the other controllers, by ID
}

// Validity is the time in which a certificate is good.
type Validity struct {
	Begins time.Time `json:"begins"`
	Ends   time.Time `json:"ends"`
}
