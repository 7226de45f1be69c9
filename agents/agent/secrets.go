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
	read    map[secretAt]map[string][]byte
}

type secretAt struct {
	id       string
	revision int
}

func newSecretCache(c Controller, unit model.UnitName) *secretCache {
	return &secretCache{controller: c, unit: unit, current: map[string]int{}, read: map[secretAt]map[string][]byte{}}
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
		if _, still := c.current[at.id]; !still {
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
	at := secretAt{ref.ID, ref.Revision}
	if at.revision == 0 {
		at.revision = c.current[ref.ID]
	}
	fields, known := c.read[at]
	c.mu.Unlock()
	if known {
		return fields, nil
	}
	fields, err := c.controller.ReadSecret(ctx, c.unit, at.id, at.revision)
	if err != nil {
		return nil, err
	}
	if at.revision != 0 {
		c.mu.Lock()
		c.read[at] = fields
		c.mu.Unlock()
	}
	return fields, nil
}
