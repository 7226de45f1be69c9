package effect

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/gantry-orchestrator/gantry/model"
)

// Intent is what the engine wants of one unit. Its identity is Hash, over the
// spec alone; Generation is monotone and only orders intents.
type Intent struct {
	Generation uint64 `json:"generation"` // highest index that went into Spec
	Hash       string `json:"hash"`       // Spec.Hash()
	Spec       Spec   `json:"spec"`
	Live       Live   `json:"live"`
}

// Spec is the part of an intent whose change makes a new generation. Slices
// are sorted, so that equal specs have equal bytes.
type Spec struct {
	Model           model.ModelName   `json:"model"`
	Unit            model.UnitName    `json:"unit"`
	Life            model.Life        `json:"life"` // Dying: it drains; Dead: it is to be torn down
	ApplicationLife model.Life        `json:"application_life"`
	Charm           Charm             `json:"charm"`
	Machine         model.MachineName `json:"machine"`
	Address         string            `json:"address"`             // of the machine; an IP
	CIDR            string            `json:"cidr"`                // the network that the model's machines share
	Principal       model.UnitName    `json:"principal,omitzero"`  // whom a subordinate accompanies
	Planned         int               `json:"planned"`             // units that the application is to have
	Config          map[string]any    `json:"config,omitempty"`    // string, int64, float64 or bool, defaults filled in
	Trust           bool              `json:"trust,omitempty"`     //
	Relations       []Relation        `json:"relations,omitempty"` // peers included, by ID
	Records         []Record          `json:"records,omitempty"`   // the unit's and its application's, by scope and name
	Secrets         []Secret          `json:"secrets,omitempty"`   // that the unit may read, by name and ID
	Versions        map[string]string `json:"versions,omitempty"`  // package name to the exact version that members share
	Shared          []Shared          `json:"shared,omitempty"`    // directories that the application's machines share
}

// Charm names the exact artifact that answers for the unit.
type Charm struct {
	Name     model.CharmName `json:"name"`
	Revision string          `json:"revision"` // hash of the artifact
}

// Shared is a host directory that all machines of an application see at Path,
// where the provider can offer it.
type Shared struct {
	Name string `json:"name"`
	Path string `json:"path"`
}

// Relation is one relation as a unit sees it.
type Relation struct {
	ID        model.RelationID      `json:"id"`
	Endpoint  model.EndpointName    `json:"endpoint"` // the unit's own end
	Interface model.InterfaceName   `json:"interface"`
	Role      model.Role            `json:"role"`
	Scope     model.Scope           `json:"scope"`
	Life      model.Life            `json:"life"`
	Remote    model.ApplicationName `json:"remote"` // for peers, the application itself
	Bag       map[string]string     `json:"bag,omitempty"`
	Units     []Remote              `json:"units,omitempty"` // by name, never the unit itself
}

// Remote is another unit in a relation. Gone stays visible until every
// related unit has settled having seen it.
type Remote struct {
	Unit    model.UnitName    `json:"unit"`
	Life    model.Life        `json:"life"`
	Gone    bool              `json:"gone,omitempty"`
	Address string            `json:"address,omitempty"` // an IP, empty until the machine has one
	Bag     map[string]string `json:"bag,omitempty"`
}

// Live is the part of an intent that wakes Reconcile without a new
// generation.
type Live struct {
	Serial   uint64    `json:"serial"`           // rises with every change of the live part
	Leader   bool      `json:"leader,omitempty"` // of the application
	Token    uint64    `json:"token,omitempty"`  // index of the lease: fences what leaders alone do
	Grants   []Grant   `json:"grants,omitempty"` // turns that the unit holds, by name
	Order    *Order    `json:"order,omitempty"`  // the application's open order
	Receipts []Receipt `json:"receipts,omitempty"`
	Own      []OwnBag  `json:"own,omitempty"` // as committed, by relation
	Warrants []Warrant `json:"warrants,omitempty"`
}

// Grant is a turn that the unit holds.
type Grant struct {
	Turn  string `json:"turn"`
	Token uint64 `json:"token"` // index of the grant
}

// Order is an operator-started staged procedure that is open.
type Order struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Stage  string            `json:"stage"`
	Params map[string]string `json:"params,omitempty"`
}

// ReceiptState says how far an Application task's claim has come.
type ReceiptState string

// The states of a claim.
const (
	ClaimOpen   ReceiptState = "open"
	ClaimDone   ReceiptState = "done"
	ClaimFailed ReceiptState = "failed"
)

// Receipt is the committed claim of an Application task.
type Receipt struct {
	Task  string         `json:"task"`
	Key   string         `json:"key"`
	Unit  model.UnitName `json:"unit"`
	Token uint64         `json:"token"`
	State ReceiptState   `json:"state"`
}

// OwnBag is what the unit, and its application, have published in a relation.
type OwnBag struct {
	Relation    model.RelationID  `json:"relation"`
	Unit        map[string]string `json:"unit,omitempty"`
	Application map[string]string `json:"application,omitempty"`
}

// Warrant permits the destruction of one incarnation of a volume's data.
type Warrant struct {
	Volume      ID     `json:"volume"`      // "*" for every volume of the unit, by --destroy-storage
	Incarnation string `json:"incarnation"` // that which may go; "*" for any, by --destroy-storage
}

// Permits reports whether the warrant is for that incarnation of the volume.
func (w Warrant) Permits(volume ID, incarnation string) bool {
	return (w.Volume == volume || w.Volume == "*") && (w.Incarnation == incarnation || w.Incarnation == "*")
}

// hashOf is the hex SHA-256 of v's JSON.
func hashOf(v any) string {
	sum := sha256.Sum256(encoded(v))
	return hex.EncodeToString(sum[:])
}
