package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
)

func (p *Provider) hostsFile() string { return filepath.Join(p.cfg.StateDir, "hosts.json") }

// Hosts implements provider.Hoster.
func (p *Provider) Hosts(_ context.Context, entries []provider.HostEntry) error {
	if err := store.WriteJSON(p.hostsFile(), entries); err != nil {
		return err
	}
	records, _, err := p.store.List()
	if err != nil {
		return err
	}
	var failed []error
	for _, r := range records {
		if r.Process.Alive() {
			failed = append(failed, p.rewriteHosts(r))
		}
	}
	return errors.Join(failed...)
}

// hosts is the text of a machine's hosts file.
func (p *Provider) hosts(rec store.Record) (string, error) {
	var entries []provider.HostEntry
	if err := store.ReadJSON(p.hostsFile(), &entries); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return provider.HostsFile(rec.Hostname, rec.Address, entries), nil
}

// rewriteHosts replaces the hosts file of a running machine where it differs.
// A link that the machine made cannot lead it outside of the machine's root.
func (p *Provider) rewriteHosts(rec store.Record) error {
	text, err := p.hosts(rec)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot("/proc/" + strconv.Itoa(rec.Process.PID) + "/root")
	if err != nil {
		return fmt.Errorf("hosts of machine %s: %w", rec.UUID, err)
	}
	defer root.Close()
	const path, fresh = "etc/hosts", "etc/.hosts.gantry"
	if now, err := root.ReadFile(path); err == nil && string(now) == text {
		return nil
	}
	err = root.WriteFile(fresh, []byte(text), 0o644)
	if err == nil {
		err = root.Rename(fresh, path)
	}
	if err != nil && rec.Process.Alive() {
		return fmt.Errorf("hosts of machine %s: %w", rec.UUID, err)
	}
	return nil
}
