// Package tlscertificates is the charm of a certificate authority. Its
// promises: a key that no other application is given, no certificate for a name
// or address that is not the asking unit's, renewal before anything ends, and
// a change of the authority that no client notices.
//
// It is pure; keys are made and certificates signed in internal/operate.
package tlscertificates

import (
	"embed"
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/interfaces"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Files holds the charm's metadata.
//
//go:embed charm.yaml
var Files embed.FS

// Charm answers for the authority; its leader signs.
type Charm struct{}

// Reconcile implements sdk.Charm.
func (Charm) Reconcile(in effect.Input) effect.Desired {
	a := authority{in: in, b: &sdk.Builder{}}
	if problem := a.check(); problem != nil {
		a.b.Partial("%v", problem)
		return a.b.Done(sdk.Blocked("%v", problem))
	}
	a.withdraw()
	if waits := a.mint(); waits != "" {
		a.b.Partial("%s", waits)
		return a.b.Done(sdk.Waiting("%s", waits))
	}
	requests := a.requests()
	if in.Live.Leader {
		a.sign(requests)
	}
	return a.b.Done(a.status(requests))
}

// authority is one unit's view while Reconcile runs.
type authority struct {
	in     effect.Input
	b      *sdk.Builder
	signer generation // that signs now
	other  generation // that clients trust too while the authority changes; zero otherwise
	next   generation // that the open order brings, once it is made
}

const day = 24 * time.Hour

func (a *authority) validity() time.Duration {
	return time.Duration(sdk.Int(a.in, "certificate-validity")) * day
}

func (a *authority) check() error {
	switch life, own := sdk.Int(a.in, "certificate-validity"), sdk.Int(a.in, "ca-validity"); {
	case life < 1:
		return fmt.Errorf("certificate-validity is %d: expected days, at least 1: %w", life, model.ErrInvalid)
	case own < 2*life:
		return fmt.Errorf("ca-validity is %d: expected at least twice certificate-validity (%d days): %w", own, life, model.ErrInvalid)
	}
	return checkKeyType(sdk.String(a.in, "key-type"))
}

// status says how many are served, and names who is refused.
func (a *authority) status(requests []request) model.Status {
	signed, waiting, refused := 0, 0, ""
	for _, q := range requests {
		switch {
		case q.refused != "":
			refused = fmt.Sprintf("%s is refused: %s", q.unit, q.refused)
		case q.issued == nil:
			waiting++
		default:
			signed++
		}
	}
	switch {
	case a.rotating() != nil && !a.stageReached(requests):
		return sdk.Maintenance("changing the authority: %s", a.in.Live.Order.Stage)
	case refused != "":
		return sdk.Active("%d certificates; %s", signed, refused)
	case waiting > 0 && a.in.Live.Leader:
		return sdk.Maintenance("signing %d requests", waiting)
	default:
		return sdk.Active("%d certificates", signed)
	}
}

// trusted are the authorities that clients are to trust, the signing one first.
func (a *authority) trusted() []string {
	all := []string{a.signer.Certificate}
	if a.other.Number != 0 {
		all = append(all, a.other.Certificate)
	}
	return all
}

// transfer publishes whom to trust to those who only want that.
func (a *authority) transfer() {
	for _, r := range sdk.Relations(a.in, "send-ca-cert") {
		if r.Life == model.Alive {
			a.b.PublishApplication(r.ID, interfaces.TrustedBag(a.trusted()))
		}
	}
}
