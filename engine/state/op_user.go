package state

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// SetUser makes an operator, or changes what one may do. Certificates are
// added to those that speak for the user.
type SetUser struct {
	Name         model.UserName `json:"name"`
	Superuser    bool           `json:"superuser,omitempty"`
	AddModels    bool           `json:"add_models,omitempty"`
	Certificates []string       `json:"certificates,omitempty"`
	Disabled     bool           `json:"disabled,omitempty"`
}

// Revoke takes back what speaks for somebody: it removes a user with every
// certificate, access and token, or only the certificates or the tokens that
// it names.
type Revoke struct {
	User         model.UserName `json:"user,omitempty"`
	Tokens       []string       `json:"tokens,omitempty"`       // hashes
	Certificates []string       `json:"certificates,omitempty"` // fingerprints of users' certificates
}

// SetAccess gives a user a level of access to a model, or takes it.
type SetAccess struct {
	User  model.UserName    `json:"user"`
	Model model.ModelName   `json:"model"`
	Level model.AccessLevel `json:"level,omitempty"`
}

// AddToken makes a token known by its hash: one to join with, or an API token
// where it has an ID.
type AddToken struct {
	Hash    string            `json:"hash"`
	Machine string            `json:"machine,omitempty"`
	User    model.UserName    `json:"user,omitempty"`
	Host    bool              `json:"host,omitempty"`
	Expires time.Time         `json:"expires"`
	ID      string            `json:"id,omitempty"`
	Label   string            `json:"label,omitempty"`
	Model   model.ModelName   `json:"model,omitempty"`
	Level   model.AccessLevel `json:"level,omitempty"`
}

// RedeemToken spends a token: one of any number of rivals wins. The
// certificate then speaks for the token's machine, host or user.
type RedeemToken struct {
	Hash        string    `json:"hash"`
	Machine     string    `json:"machine,omitempty"` // UUID of who joins; must be the token's where it names one
	Certificate string    `json:"certificate"`       // fingerprint
	Until       time.Time `json:"until,omitzero"`    // when a user's certificate ends
}

// RenewCertificate lets another certificate speak for whom one speaks: an
// agent where Agent names its machine, else a user. The old one may until
// Overlap is past.
type RenewCertificate struct {
	Agent       string        `json:"agent,omitempty"`
	Was         string        `json:"was"`
	Certificate string        `json:"certificate"`
	Until       time.Time     `json:"until,omitzero"`
	Overlap     time.Duration `json:"overlap"`
}

// AnchorAudit commits how far a controller's audit log has come, so that it
// cannot be cut or written anew unnoticed.
type AnchorAudit struct {
	Controller string `json:"controller"`
	Anchor     Anchor `json:"anchor"`
}
