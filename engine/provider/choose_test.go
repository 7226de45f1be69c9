package provider

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestTheBestProviderThatAHostCarriesIsChosen(t *testing.T) {
	able := Host{Root: true, Cgroups: "v2", Systemd: true}
	with := func(change func(*Host)) Host {
		h := able
		change(&h)
		return h
	}
	broken := errors.New("no such thing here")
	for rule, c := range map[string]struct {
		host           Host
		provider, base string
		says           string
	}{
		"an able host carries sandbox machines on Debian":    {able, "sandbox", BaseDebian, "root"},
		"without mmdebstrap they show the host's files":      {with(func(h *Host) { h.Missing = []string{"mmdebstrap"} }), "sandbox", BaseHost, "mmdebstrap"},
		"a user gets loopback and is told of sudo":           {with(func(h *Host) { h.Root = false }), "loopback", "", "sudo gantry up"},
		"a host without namespaces gets loopback and why":    {with(func(h *Host) { h.Namespaces = broken }), "loopback", "", broken.Error()},
		"a host without overlays gets loopback and why":      {with(func(h *Host) { h.Overlay = broken }), "loopback", "", broken.Error()},
		"a host without nftables gets loopback and why":      {with(func(h *Host) { h.Firewall = broken }), "loopback", "", broken.Error()},
		"without control groups limits are said to be loose": {with(func(h *Host) { h.Cgroups = "none" }), "sandbox", BaseDebian, "not enforced"},
		"a firewall that drops forwarded packets is told":    {with(func(h *Host) { h.Forwarding = "FORWARD drops" }), "sandbox", BaseDebian, "FORWARD drops"},
		"without systemd a reboot needs an up":               {with(func(h *Host) { h.Systemd = false }), "sandbox", BaseDebian, "after a reboot"},
	} {
		got := Choose(c.host)
		said := strings.Join(slices.Concat(got.Reasons, got.Lacks), "\n")
		if got.Provider != c.provider || got.Base != c.base || !strings.Contains(said, c.says) {
			t.Errorf("%s: chose %+v", rule, got)
		}
	}
}
