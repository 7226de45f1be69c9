package operator

import "time"

// AuditOutcome is how a request ended.
type AuditOutcome string

// The outcomes of a request.
const (
	Allowed AuditOutcome = "allowed" // it did what was asked, or a stream began
	Refused AuditOutcome = "denied"  // for want of access, or by a flight rule
	Failed  AuditOutcome = "failed"  // for another reason
)

// AuditRecord is one request, in the order in which they ended.
type AuditRecord struct {
	Sequence uint64       `json:"seq"`
	Time     time.Time    `json:"time"`
	Who      string       `json:"who"`              // such as "user/admin"
	Bearer   string       `json:"bearer,omitempty"` // fingerprint of the certificate, its first 16 digits
	Route    string       `json:"route"`
	Model    string       `json:"model,omitempty"`
	Outcome  AuditOutcome `json:"outcome"`
	Error    string       `json:"error,omitempty"`
	Index    uint64       `json:"index,omitempty"`   // of what it committed, where the answer says so
	Repeats  int          `json:"repeats,omitempty"` // of the same refusal, that have no records of their own
}

// AuditQuery selects records.
type AuditQuery struct {
	Since  time.Time
	Last   int  // the newest alone; 0 for all
	Denied bool // what was refused alone
}

// AuditVerdict says whether a controller's record of requests is whole.
type AuditVerdict struct {
	Controller string `json:"controller"`
	Records    uint64 `json:"records"`
	First      uint64 `json:"first"`
	Last       uint64 `json:"last"`
	Anchored   uint64 `json:"anchored"`        // up to here the log of all controllers vouches for it
	Fault      string `json:"fault,omitempty"` // what was found, and at which record; empty where it is whole
}
