package effect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"github.com/gantry-orchestrator/gantry/model"
)

// RemoteKey tells remotes apart without a look into their bags. Remotes with
// the same key are equal; equal ones may have different keys, where their bags
// are different maps. A key keeps its bag alive, which nobody may change.
type RemoteKey struct {
	unit    model.UnitName
	life    model.Life
	gone    bool
	address string
	bag     unsafe.Pointer
}

// Key returns the remote's key.
func (r Remote) Key() RemoteKey {
	return RemoteKey{unit: r.Unit, life: r.Life, gone: r.Gone, address: r.Address, bag: reflect.ValueOf(r.Bag).UnsafePointer()}
}

// digest is the SHA-256 of a remote's JSON. It adds to known.
func (r Remote) digest(known map[RemoteKey][sha256.Size]byte) [sha256.Size]byte {
	key := r.Key()
	sum, ok := known[key]
	if !ok {
		sum = sha256.Sum256(encoded(r))
		known[key] = sum
	}
	return sum
}

// Hash identifies a spec, in hex: the SHA-256 of its JSON without the units of
// its relations, then of each relation how many units it has, and the SHA-256
// of the JSON of each.
func (s Spec) Hash() string { return s.HashWith(map[RemoteKey][sha256.Size]byte{}) }

// HashWith is Hash, for specs that share remotes: each is encoded once for all
// of them. It adds to what is known of their digests.
func (s Spec) HashWith(known map[RemoteKey][sha256.Size]byte) string {
	sum := sha256.New()
	sum.Write(encoded(s.WithoutUnits()))
	for _, r := range s.Relations {
		fmt.Fprintf(sum, " %d:", len(r.Units))
		for _, u := range r.Units {
			digest := u.digest(known)
			sum.Write(digest[:])
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// WithoutUnits returns the spec with relations that have no units.
func (s Spec) WithoutUnits() Spec {
	s.Relations = slices.Clone(s.Relations)
	for i := range s.Relations {
		s.Relations[i].Units = nil
	}
	return s
}

// encoded is the JSON of a contract type, in which encoding/json sorts maps.
func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("effect: a contract type does not encode: " + err.Error())
	}
	return b
}
