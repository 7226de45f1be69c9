package operator

import (
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// AddUser asks for a login.
type AddUser struct {
	Change
	Name      model.UserName
	Superuser bool
	AddModels bool
}

// RegisterUser asks for another registration of a user. With Revoke, every
// certificate that speaks for the user ends.
type RegisterUser struct {
	Change
	Name   model.UserName
	Revoke bool
}

// Registration is what a user logs in with, once. The token is told this once.
type Registration struct {
	Committed
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// ChangeUser changes what is not nil.
type ChangeUser struct {
	Change
	Name      model.UserName
	Disabled  *bool
	Superuser *bool
	AddModels *bool
}

// Credential is a signed certificate and the authority to trust, in PEM.
type Credential struct {
	Certificate []byte
	CA          []byte
}

// Grant gives a user access to a model: none, read, write or admin.
type Grant struct {
	Change
	Model  model.ModelName
	User   model.UserName
	Access string
}

// User is an operator as others see one.
type User struct {
	Name         model.UserName                        `json:"name"`
	Superuser    bool                                  `json:"superuser,omitempty"`
	AddModels    bool                                  `json:"add_models,omitempty"`
	Disabled     bool                                  `json:"disabled,omitempty"`
	Access       map[model.ModelName]model.AccessLevel `json:"access,omitempty"`
	Certificates []Login                               `json:"certificates,omitempty"` // that speak for the user now
	Tokens       int                                   `json:"tokens,omitempty"`       // of the user, for pipelines
	Registering  time.Time                             `json:"registering,omitzero"`   // until when a registration waits to be redeemed
}

// Login is a certificate that speaks for a user. There is no more of it
// in the controller than that.
type Login struct {
	Fingerprint string    `json:"fingerprint"`    // SHA-256, hex
	Until       time.Time `json:"until,omitzero"` // when it ends, where that is before its own time
}

// WhoAmI is who asks, and what that may do.
type WhoAmI struct {
	User        User      `json:"user"`
	Token       *Token    `json:"token,omitempty"` // that it asks with
	Fingerprint string    `json:"fingerprint"`
	Controller  string    `json:"controller"`
	Now         time.Time `json:"now"` // by the controller's clock
}

// CreateToken asks for a pipeline's certificate. The key stays with who asks.
type CreateToken struct {
	Change
	Model  model.ModelName
	Access model.AccessLevel
	Label  string
	Life   time.Duration
	CSR    []byte // PEM
}

// Token is a pipeline's certificate, as its owner sees it.
type Token struct {
	ID      string            `json:"id"`
	User    model.UserName    `json:"user"`
	Model   model.ModelName   `json:"model"`
	Access  model.AccessLevel `json:"access"`
	Label   string            `json:"label,omitempty"`
	Expires time.Time         `json:"expires"`
}

// CreatedToken is a new token with its certificate.
type CreatedToken struct {
	Token
	Credential
}
