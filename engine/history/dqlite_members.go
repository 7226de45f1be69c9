//go:build dqlite && cgo

package history

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/canonical/go-dqlite/client"
)

// members is the list of members in a file, for dqlite's clients: where to
// look for its leader after a restart.
type members struct {
	file string
	mu   sync.Mutex
}

// Get implements client.NodeStore.
func (m *members) Get(context.Context) (list []client.NodeInfo, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := os.ReadFile(m.file)
	if err != nil {
		return nil, fmt.Errorf("members of the history: %w", err)
	}
	return list, json.Unmarshal(b, &list)
}

// Set implements client.NodeStore.
func (m *members) Set(_ context.Context, list []client.NodeInfo) error {
	b, err := json.Marshal(list)
	if err != nil || len(list) == 0 {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return writeWhole(m.file, b)
}
