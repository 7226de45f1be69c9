package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
)

const (
	forwardingSysctl = "/proc/sys/net/ipv4/ip_forward"
	// forwardingFile is shared by all installs: the last to leave restores what
	// the first found. It is gone after a reboot, as the setting is.
	forwardingFile = "/run/gantry-forwarding.json"
)

type forwarding struct {
	Was   string   `json:"was"`
	Users []string `json:"users"`
}

// enableForwarding lets this host route for machines. The caller holds hostLock.
func enableForwarding(id string) error {
	now, err := os.ReadFile(forwardingSysctl)
	if err != nil {
		return fmt.Errorf("read ip_forward: %w", err)
	}
	var f forwarding
	switch err := store.ReadJSON(forwardingFile, &f); {
	case errors.Is(err, fs.ErrNotExist):
		f.Was = strings.TrimSpace(string(now))
	case err != nil:
		return err
	}
	if !slices.Contains(f.Users, id) {
		f.Users = append(f.Users, id)
		if err := store.WriteJSON(forwardingFile, f); err != nil {
			return err
		}
	}
	if strings.TrimSpace(string(now)) == "1" {
		return nil
	}
	if err := os.WriteFile(forwardingSysctl, []byte("1"), 0); err != nil {
		return fmt.Errorf("set ip_forward: %w", err)
	}
	return nil
}

// releaseForwarding restores the setting where no other install has a bridge.
// The caller holds hostLock.
func releaseForwarding(id string) error {
	var f forwarding
	err := store.ReadJSON(forwardingFile, &f)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	f.Users = slices.DeleteFunc(f.Users, func(user string) bool {
		_, err := netlink.LinkByName(bridgePrefix + user)
		return user == id || err != nil
	})
	if len(f.Users) > 0 {
		return store.WriteJSON(forwardingFile, f)
	}
	if err := os.WriteFile(forwardingSysctl, []byte(f.Was), 0); err != nil {
		return fmt.Errorf("restore ip_forward: %w", err)
	}
	return os.Remove(forwardingFile)
}
