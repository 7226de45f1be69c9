package agent

import (
	"context"
	"fmt"
	"sync"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// secretCache opens the secrets of one unit. It keeps in memory what it read,
// so that files can be written again while no controller is in reach; a
// revision never changes.
type secretCache struct {
	controller Controller
	unit       model.UnitName

	mu      sync.Mutex
	current map[string]int // revision by id, of the intent
	read    map[effect.SecretAt]map[string][]byte
}

func newSecretCache(c Controller, unit model.UnitName) *secretCache {
	return &secretCache{controller: c, unit: unit, current: map[string]int{}, read: map[effect.SecretAt]map[string][]byte{}}
}

// know takes the current revisions from an intent, and forgets what the unit
// may no longer read.
func (c *secretCache) know(spec effect.Spec) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = map[string]int{}
	for _, s := range spec.Secrets {
		c.current[s.ID] = s.Revision
	}
	for at := range c.read {
		if _, still := c.current[at.ID]; !still {
			delete(c.read, at)
		}
	}
}

// Open implements perform.Secrets.
func (c *secretCache) Open(ctx context.Context, ref effect.SecretRef) ([]byte, error) {
	fields, err := c.fields(ctx, ref)
	if err != nil {
		return nil, err
	}
	value, ok := fields[ref.Field]
	if !ok {
		return nil, fmt.Errorf("secret %s has no field %q: %w", ref.ID, ref.Field, model.ErrNotFound)
	}
	return value, nil
}

func (c *secretCache) fields(ctx context.Context, ref effect.SecretRef) (map[string][]byte, error) {
	c.mu.Lock()
	at := effect.SecretAt{ID: ref.ID, Revision: ref.Revision}
	if at.Revision == 0 {
		at.Revision = c.current[ref.ID]
	}
	fields, known := c.read[at]
	c.mu.Unlock()
	if known {
		return fields, nil
	}
	opened, err := c.controller.ReadSecrets(ctx, c.unit, []effect.SecretAt{at})
	if err != nil {
		return nil, err
	}
	if len(opened) != 1 {
		return nil, fmt.Errorf("the controller answered with %d secrets for one: %w", len(opened), model.ErrInvalid)
	}
	if at.Revision != 0 {
		c.mu.Lock()
		c.read[at] = opened[0].Fields
		c.mu.Unlock()
	}
	return opened[0].Fields, nil
}
