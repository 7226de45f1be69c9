package tlscertificates

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// generation is one key of the authority with its certificate. Both are made
// once by the leader: the key becomes a secret, the certificate a record.
type generation struct {
	Number      int
	Certificate string // PEM
	key         effect.Secret
}

// The calls of the charm; internal/operate carries them out.
const (
	callKey  = "ca-key"
	callRoot = "ca-certificate"
	callSign = "sign"
)

// A generation is begun by a record, whose value is the order that asked for
// it; the first needs none.
const beginRecord = "generation/"

func keyTask(n int) string  { return fmt.Sprint("task/ca-key-", n) }
func rootTask(n int) string { return fmt.Sprint("task/ca-certificate-", n) }

// begun are the numbers of the generations, and the order of each.
func (a *authority) begun() map[int]string {
	all := map[int]string{1: ""}
	for _, r := range a.in.Spec.Records {
		var n int
		if _, err := fmt.Sscanf(r.Name, beginRecord+"%d", &n); err == nil && r.Scope == effect.ApplicationScope {
			all[n] = r.Value
		}
	}
	return all
}

// adoptedRecord says that a generation signs; the first needs none. One whose
// order was cancelled before is never adopted.
const adoptedRecord = "adopted/"

// adopted is the newest generation under a number that has signed.
func (a *authority) adopted(under int) int {
	newest := 1
	for n := range a.begun() {
		if _, is := sdk.RecordOf(a.in, effect.ApplicationScope, fmt.Sprint(adoptedRecord, n)); is && n < under {
			newest = max(newest, n)
		}
	}
	return newest
}

// mint has the leader make what there is not yet, and says what is waited for
// until the authority can sign.
func (a *authority) mint() (waits string) {
	var made bool
	next, begun := a.begin()
	a.signer, made = a.generation(a.adopted(next))
	if !made {
		return "for the leader to make the authority's key"
	}
	if !begun {
		return ""
	}
	if a.next, made = a.generation(next); !made {
		a.next = generation{}
		return "" // all is as it was
	}
	switch a.rotating().Stage {
	case stageTrust:
		a.other = a.next
	case stageReissue:
		a.signer, a.other = a.next, a.signer
		if a.in.Live.Leader {
			a.b.Record(effect.ApplicationScope, fmt.Sprint(adoptedRecord, next), a.rotating().ID)
		}
	default:
		a.signer = a.next
	}
	return ""
}

// begin is the generation of the open order, and the number after all others
// where there is none yet.
func (a *authority) begin() (number int, begun bool) {
	order, all := a.rotating(), a.begun()
	newest := 1
	for n, by := range all {
		if order != nil && by == order.ID {
			return n, true
		}
		newest = max(newest, n)
	}
	if order != nil && a.in.Live.Leader {
		a.b.Record(effect.ApplicationScope, fmt.Sprint(beginRecord, newest+1), order.ID)
	}
	return newest + 1, false
}

// generation is a key and its certificate, which the leader makes where they
// are not there.
func (a *authority) generation(n int) (generation, bool) {
	g := generation{Number: n}
	var keyed, certified bool
	g.key, keyed = sdk.SecretNamed(a.in, keyTask(n))
	g.Certificate, certified = sdk.RecordOf(a.in, effect.ApplicationScope, rootTask(n))
	if !a.in.Live.Leader {
		return g, keyed && certified
	}
	a.b.Task(effect.Task{
		ID: effect.ID(keyTask(n)), Key: "made", Scope: effect.ApplicationScope, Result: effect.SealedResult, Idempotent: true,
		Run: effect.Exec{Call: callKey, Args: texts("type", sdk.String(a.in, "key-type")), User: a.user()}, Timeout: time.Minute,
	})
	if keyed {
		args := texts("name", fmt.Sprintf("%s %d", sdk.String(a.in, "ca-common-name"), n), "days", fmt.Sprint(sdk.Int(a.in, "ca-validity")))
		args["key"] = sdk.Text(sdk.Secret(g.key, "value"))
		a.b.Task(effect.Task{
			ID: effect.ID(rootTask(n)), Key: "made", Scope: effect.ApplicationScope, Result: effect.PublicResult, Idempotent: true,
			Run: effect.Exec{Call: callRoot, Args: args, User: a.user()}, After: []effect.ID{effect.ID(keyTask(n))},
		})
	}
	return g, keyed && certified
}

func texts(pairs ...string) map[string]effect.Content {
	all := map[string]effect.Content{}
	for i := 0; i+1 < len(pairs); i += 2 {
		all[pairs[i]] = sdk.Text(pairs[i+1])
	}
	return all
}

// user makes keys and signs: nobody in particular, as nothing is kept.
func (a *authority) user() string {
	if a.in.Host.Superuser {
		return "nobody"
	}
	return a.in.Host.User
}

const (
	rotateOrder = "rotate-ca"
	revokeOrder = "revoke"
)

// The stages of a change of the authority, as charm.yaml declares them.
const (
	stageTrust   = "trust"
	stageReissue = "reissue"
	stageDrop    = "drop"
)

func (a *authority) rotating() *effect.Order {
	if o := a.in.Live.Order; o != nil && o.Name == rotateOrder {
		return o
	}
	return nil
}

// stageReached reports whether the stage is carried out, and says so: trust
// once everybody who says whom it trusts has taken the new one up, reissue once
// everything is signed by it and taken up too: until then somebody shows what
// only the old one vouches for.
func (a *authority) stageReached(requests []request) bool {
	o := a.rotating()
	if a.next.Number == 0 {
		return false
	}
	mark := requirer.Fingerprint(a.next.Certificate)
	for _, q := range requests {
		switch {
		case q.refused != "":
		case o.Stage == stageTrust && q.trusts != nil && !slices.Contains(q.trusts, mark):
			return false
		case o.Stage != stageTrust && (q.issued == nil || q.issued.Generation != a.next.Number):
			return false
		case o.Stage == stageReissue && q.trusts != nil && q.shows != requirer.Fingerprint(q.issued.Certificate):
			return false
		}
	}
	a.b.Reached(o.Stage)
	return true
}

// A withdrawal is a record: of a request's digest, for good.
const withdrawnRecord = "withdrawn/"

// withdraw carries out an order that takes a unit's certificate back.
func (a *authority) withdraw() {
	o := a.in.Live.Order
	if o == nil || o.Name != revokeOrder {
		return
	}
	open := false
	for _, q := range a.asked() {
		if q.unit.String() != strings.TrimSpace(o.Params["unit"]) || a.withdrawn(q) {
			continue
		}
		open = true
		if a.in.Live.Leader {
			a.b.Record(effect.ApplicationScope, withdrawnRecord+q.digest, o.ID)
		}
	}
	if !open {
		a.b.Reached(o.Stage)
	}
}

func (a *authority) withdrawn(q request) bool {
	_, is := sdk.RecordOf(a.in, effect.ApplicationScope, withdrawnRecord+q.digest)
	return is
}

// issued is what was signed for a request: a record of the task that did.
type issued struct {
	Certificate string    `json:"certificate"`
	Generation  int       `json:"generation"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"`
}

// renewal is when two thirds of its life are over.
func (i issued) renewal() time.Time { return i.From.Add(i.Until.Sub(i.From) / 3 * 2) }

func parseIssued(text string) (*issued, bool) {
	var i issued
	if json.Unmarshal([]byte(text), &i) != nil || i.Certificate == "" {
		return nil, false
	}
	return &i, true
}

func checkKeyType(kind string) error {
	if !slices.Contains(keyTypes, kind) {
		return fmt.Errorf("key-type is %q: expected %s: %w", kind, strings.Join(keyTypes, ", "), model.ErrInvalid)
	}
	return nil
}

var keyTypes = []string{"ecdsa-p256", "ecdsa-p384", "rsa-3072", "rsa-4096"}
