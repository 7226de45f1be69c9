package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/controller/pki"
	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// joinAgain is how long a controller that was not let in waits.
const joinAgain = time.Second

// Machine is the identity of the agent on whose machine a controller runs:
// with it the controller asks to be let in.
type Machine func() (client.Context, error)

// joined is what a member keeps of its joining; the file's presence says that
// the keys are there too.
type joined struct {
	Provider string `json:"provider"`
}

func joinedFile(dir string) string { return filepath.Join(dir, "joined.json") }

// join makes this controller a member, once, and keeps the keys that it is
// given in a directory that is its own. It waits for a controller that leads.
func (r *root) join(ctx context.Context) error {
	var before joined
	b, err := os.ReadFile(joinedFile(r.Dir))
	if err == nil {
		if err := json.Unmarshal(b, &before); err != nil {
			return fmt.Errorf("controller: %s: %w", joinedFile(r.Dir), err)
		}
		r.Provider = before.Provider
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("controller: %w", err)
	}
	keys, err := r.ask(ctx)
	if err != nil {
		return err
	}
	if err := r.roster.seed(keys.Members); err != nil {
		return err
	}
	kept, err := json.Marshal(joined{Provider: keys.Provider})
	if err != nil {
		return fmt.Errorf("controller: %w", err)
	}
	r.Provider = keys.Provider
	for _, f := range []struct {
		path    string
		content []byte
	}{
		{r.secretsKey(), keys.SecretsKey},
		{filepath.Join(r.Dir, "pki", "ca.key"), keys.CAKey},
		{filepath.Join(r.Dir, "pki", "ca.crt"), keys.CA},
		{joinedFile(r.Dir), kept},
	} {
		if err := pki.WriteFile(f.path, f.content); err != nil {
			return err
		}
	}
	return nil
}

// ask joins with the machine's identity, again until it is answered.
func (r *root) ask(ctx context.Context) (operator.ControllerKeys, error) {
	for {
		keys, err := r.askOnce(ctx)
		if err == nil || ctx.Err() != nil {
			return keys, err
		}
		r.Log.Warn("this controller is not a member yet, will ask again", "error", err)
		select {
		case <-time.After(joinAgain):
		case <-ctx.Done():
			return keys, ctx.Err()
		}
	}
}

func (r *root) askOnce(ctx context.Context) (operator.ControllerKeys, error) {
	identity, err := r.Machine()
	if err != nil {
		return operator.ControllerKeys{}, err
	}
	members, err := client.DialMembership(identity)
	if err != nil {
		return operator.ControllerKeys{}, err
	}
	defer members.Close()
	return members.Join(ctx, r.self())
}

// Leave ends the membership of the controller that keeps its state in dir, and
// returns once it takes part no more. One that never joined has left.
func Leave(ctx context.Context, dir string, machine Machine) error {
	id, err := os.ReadFile(filepath.Join(dir, "id"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("leave the controllers: %w", err)
	}
	identity, err := machine()
	if err != nil {
		return err
	}
	members, err := client.DialMembership(identity)
	if err != nil {
		return err
	}
	defer members.Close()
	for {
		err := members.Leave(ctx, string(id))
		if err == nil || !errors.Is(err, model.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(joinAgain):
		case <-ctx.Done():
			return err
		}
	}
}

func (r *root) secretsKey() string { return filepath.Join(r.Dir, "pki", "secrets.key") }

// self is what this controller says of itself.
func (r *root) self() operator.ControllerSelf {
	return operator.ControllerSelf{ID: r.id, Address: r.addresses[0], Version: r.Version, Level: state.KnownLevel}
}

// keys are what a new member is given.
func (r *root) keys() (k operator.ControllerKeys, err error) {
	k.CA = r.authority.PEM()
	if k.CAKey, err = os.ReadFile(filepath.Join(r.Dir, "pki", "ca.key")); err != nil {
		return k, fmt.Errorf("read the authority's key: %w", err)
	}
	if k.SecretsKey, err = os.ReadFile(r.secretsKey()); err != nil {
		return k, fmt.Errorf("read the key of secrets: %w", err)
	}
	return k, nil
}
