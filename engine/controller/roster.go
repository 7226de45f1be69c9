package controller

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gantry-orchestrator/gantry/engine/consensus"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// roster is where the controllers are, by ID. The log names members by ID
// alone, so that one that moves is no change of the log's members. It is a
// file as well: a controller that starts must find the others before it has
// heard from them what is committed.
type roster struct {
	file string

	mu    sync.Mutex
	known map[string]string // address by ID, as committed
	said  map[string]string // by those who moved, and not committed yet
}

func openRoster(dir string) (*roster, error) {
	r := &roster{file: filepath.Join(dir, "controllers.json"), known: map[string]string{}, said: map[string]string{}}
	b, err := os.ReadFile(r.file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &r.known)
	}
	if err != nil {
		return nil, fmt.Errorf("read the controllers of %s: %w", r.file, err)
	}
	return r, nil
}

// Model is where the controllers are that run on machines.
const Model = state.ControllerModel

// HasOthers reports whether the controller that keeps its state in dir is one
// of several.
func HasOthers(dir string) (bool, error) {
	r, err := openRoster(dir)
	return err == nil && len(r.known) > 1, err
}

// seed takes what a new member was told.
func (r *roster) seed(members []operator.ControllerSelf) error {
	known := map[string]string{}
	for _, m := range members {
		known[m.ID] = m.Address
	}
	_, err := r.set(known)
	return err
}

// follow takes what is committed, where that is anything, and reports whether
// it is news.
func (r *roster) follow(st state.State) (changed bool, err error) {
	known := map[string]string{}
	for _, c := range st.Controllers() {
		known[c.ID] = c.Address
	}
	if len(known) == 0 {
		return false, nil
	}
	return r.set(known)
}

// greet notes where a member says that it is, until that is committed.
func (r *roster) greet(id, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known[id] != address {
		r.said[id] = address
	}
}

func (r *roster) set(known map[string]string) (changed bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.said, func(id, address string) bool { return known[id] == address || known[id] == "" })
	if maps.Equal(known, r.known) {
		return false, nil
	}
	b, err := json.MarshalIndent(known, "", "\t")
	if err != nil {
		return false, fmt.Errorf("keep the controllers: %w", err)
	}
	r.known = known
	return true, pki.WriteFile(r.file, b)
}

// address is where a controller is reached; "" where it is not known.
func (r *roster) address(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at(id)
}

func (r *roster) at(id string) string {
	if address, ok := r.said[id]; ok {
		return address
	}
	return r.known[id]
}

// others are the controllers but one, by ID.
func (r *roster) others(self string) map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	others := map[string]string{}
	for id := range r.known {
		if id != self {
			others[id] = r.at(id)
		}
	}
	return others
}

// addresses are those of all controllers.
func (r *roster) addresses() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, id := range slices.Sorted(maps.Keys(r.known)) {
		if a := r.at(id); a != "" {
			all = append(all, a)
		}
	}
	return all
}

// admit says whether a peer at the port is a controller of ours. One that left
// is none. One that is not known may have joined while this controller was out
// of reach: it is listened to as long as nobody is known to lead, since then
// what is known here may be old.
func (r *roster) admit(node *consensus.Node, peer tls.ConnectionState) error {
	kind, id, err := pki.Bearer(peer.PeerCertificates[0])
	if err != nil {
		return err
	}
	if kind != pki.Controller {
		return fmt.Errorf("%s %s is no controller: %w", kind, id, model.ErrDenied)
	}
	row, known := node.State().Controller(id)
	_, led := node.Leader()
	switch {
	case known && !row.Left.IsZero():
		return fmt.Errorf("controller %s was removed: %w", id, model.ErrDenied)
	case !known && r.address(id) == "" && led:
		return fmt.Errorf("controller %s is no member: %w", id, model.ErrDenied)
	}
	return nil
}
