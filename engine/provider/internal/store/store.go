// Package store keeps what a provider must remember of its machines: one
// directory a machine, whose record appears and disappears atomically.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/process"
	"github.com/gantry-orchestrator/gantry/model"
)

// Record is what is remembered of a machine.
type Record struct {
	UUID     string            `json:"uuid"`
	Model    model.ModelName   `json:"model"`
	Name     model.MachineName `json:"name"`
	Hostname string            `json:"hostname"`
	Address  netip.Addr        `json:"address"`
	Lower    []string          `json:"lower,omitempty"` // layers of its disk, the uppermost first
	Process  process.Identity  `json:"process,omitzero"`
}

// Store is the directory of machines.
type Store struct{ dir string }

const recordFile = "machine.json"

// Open opens or makes the store in a state directory.
func Open(stateDir string) (*Store, error) {
	s := &Store{dir: stateDir}
	for _, dir := range []string{s.machines(), s.trash()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open machine store: %w", err)
		}
	}
	return s, nil
}

func (s *Store) machines() string { return filepath.Join(s.dir, "machines") }
func (s *Store) trash() string    { return filepath.Join(s.dir, "trash") }

// Dir is the directory of a machine, for its record and its disk.
func (s *Store) Dir(uuid string) string { return filepath.Join(s.machines(), uuid) }

// Lock takes the lock of a machine, or of another subject of this name.
func (s *Store) Lock(ctx context.Context, name string) (unlock func(), err error) {
	return Lock(ctx, filepath.Join(s.dir, "locks", name))
}

// Load reads the record of a machine; an unknown one is model.ErrNotFound.
func (s *Store) Load(uuid string) (Record, error) {
	var r Record
	err := ReadJSON(filepath.Join(s.Dir(uuid), recordFile), &r)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, fmt.Errorf("machine %s: %w", uuid, model.ErrNotFound)
	case err != nil:
		return r, fmt.Errorf("machine %s: %w", uuid, err)
	}
	return r, nil
}

// Save writes the record of a machine. It is durable when Save returns.
func (s *Store) Save(r Record) error {
	if err := os.MkdirAll(s.Dir(r.UUID), 0o700); err != nil {
		return fmt.Errorf("machine %s: %w", r.UUID, err)
	}
	return WriteJSON(filepath.Join(s.Dir(r.UUID), recordFile), r)
}

// List reads all records, ordered by UUID. Those that cannot be read are
// returned by name with the reason.
func (s *Store) List() (records []Record, broken map[string]error, err error) {
	entries, err := os.ReadDir(s.machines())
	if err != nil {
		return nil, nil, fmt.Errorf("list machines: %w", err)
	}
	broken = map[string]error{}
	for _, e := range entries {
		r, err := s.Load(e.Name())
		switch {
		case errors.Is(err, model.ErrNotFound):
		case err != nil:
			broken[e.Name()] = err
		default:
			records = append(records, r)
		}
	}
	return records, broken, nil
}

// Processes returns the first processes of all machines.
func (s *Store) Processes() (map[string]process.Identity, error) {
	records, _, err := s.List()
	all := map[string]process.Identity{}
	for _, r := range records {
		all[r.UUID] = r.Process
	}
	return all, err
}

// Remove forgets a machine at once, and then removes its directory.
func (s *Store) Remove(uuid string) error {
	grave, err := os.MkdirTemp(s.trash(), uuid+"-")
	if err != nil {
		return fmt.Errorf("remove machine %s: %w", uuid, err)
	}
	if err := os.Rename(s.Dir(uuid), filepath.Join(grave, "machine")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove machine %s: %w", uuid, err)
	}
	if err := os.RemoveAll(grave); err != nil {
		return fmt.Errorf("remove the disk of machine %s: %w", uuid, err)
	}
	return nil
}

// Sweep removes what a crash left: half removed machines, and directories that
// never had a record.
func (s *Store) Sweep(ctx context.Context) error {
	if err := removeChildren(s.trash()); err != nil {
		return fmt.Errorf("sweep machine store: %w", err)
	}
	entries, err := os.ReadDir(s.machines())
	if err != nil {
		return fmt.Errorf("sweep machine store: %w", err)
	}
	for _, e := range entries {
		if err := s.sweepOne(ctx, e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sweepOne(ctx context.Context, uuid string) error {
	if _, err := s.Load(uuid); !errors.Is(err, model.ErrNotFound) {
		return nil
	}
	unlock, err := s.Lock(ctx, uuid)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := s.Load(uuid); errors.Is(err, model.ErrNotFound) {
		return s.Remove(uuid)
	}
	return nil
}

// Purge removes the store; it is the last thing that is done to it.
func (s *Store) Purge() error {
	for _, dir := range []string{s.machines(), s.trash(), filepath.Join(s.dir, "locks")} {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("purge machine store: %w", err)
		}
	}
	return nil
}

// FreeAddress returns the first address of a subnet, from its second host on,
// that no record holds. The caller holds a lock on the choice.
func (s *Store) FreeAddress(subnet netip.Prefix) (netip.Addr, error) {
	records, broken, err := s.List()
	if err != nil {
		return netip.Addr{}, err
	}
	for uuid, err := range broken {
		return netip.Addr{}, fmt.Errorf("choose an address: the one of machine %s is not known, remove it: %w", uuid, err)
	}
	gateway := subnet.Masked().Addr().Next()
	for a := gateway.Next(); subnet.Contains(a.Next()); a = a.Next() {
		if !slices.ContainsFunc(records, func(r Record) bool { return r.Address == a }) {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("subnet %v is full with %d machines, remove some: %w", subnet, len(records), model.ErrUnavailable)
}

// ReadJSON reads a value that WriteJSON wrote.
func ReadJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// WriteJSON replaces a file by a value, atomically and durably.
func WriteJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return Replace(path, append(b, '\n'), 0o600)
}

// Replace replaces the content of a file, atomically and durably.
func Replace(path string, content []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, werr := f.Write(content)
	err = errors.Join(werr, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

func removeChildren(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
