package provider

import "fmt"

// Host is what this host offers to machines.
type Host struct {
	Root       bool   // the effective user is root
	Namespaces error  // why namespaces cannot be made, nil where they can
	Overlay    error  // why the state directory cannot hold overlays, nil where it can
	Firewall   error  // why nftables cannot be used, nil where it can
	Cgroups    string // "v2", "v1", "hybrid" or "none"
	// Forwarding says what drops packets between machines and elsewhere and what
	// to do about it, "" where nothing does that a provider could not open.
	Forwarding string
	Systemd    bool     // systemd is the first process
	Missing    []string // tools for a Debian base that are not installed
}

// Choice is the provider that suits a host, and why.
type Choice struct {
	Provider string   // "sandbox" or "loopback"
	Base     string   // for sandbox
	Reasons  []string // why this and not a better one
	Lacks    []string // what will not work, each with what to do about it
}

// Choose picks sandbox wherever the host can carry it, else loopback, and the
// Debian base wherever it can be built.
func Choose(h Host) Choice {
	for _, obstacle := range []struct {
		met bool
		why string
	}{
		{!h.Root, "sandbox machines need root: run `sudo gantry up` for them"},
		{h.Namespaces != nil, fmt.Sprintf("this host refuses namespaces: %v", h.Namespaces)},
		{h.Overlay != nil, fmt.Sprintf("no overlay file system: %v", h.Overlay)},
		{h.Firewall != nil, fmt.Sprintf("no nftables: %v", h.Firewall)},
	} {
		if obstacle.met {
			return loopbackChoice(obstacle.why)
		}
	}
	c := Choice{Provider: "sandbox", Base: BaseDebian, Reasons: []string{"root on a host with namespaces, overlay and nftables"}}
	if len(h.Missing) > 0 {
		c.Base = BaseHost
		c.Reasons = append(c.Reasons, fmt.Sprintf("machines show the host's own files, because %v is missing: apt-get install it for a Debian base", h.Missing))
	}
	if h.Cgroups == "none" {
		c.Lacks = append(c.Lacks, "no control groups: cores and mem of a machine are not enforced")
	}
	if h.Forwarding != "" {
		c.Lacks = append(c.Lacks, h.Forwarding)
	}
	if !h.Systemd {
		c.Lacks = append(c.Lacks, "systemd is not the first process: after a reboot, run `gantry up` again")
	}
	return c
}

func loopbackChoice(why string) Choice {
	return Choice{Provider: "loopback", Reasons: []string{why}, Lacks: []string{
		"machines share the host's files and network: packages must be installed by you, and no machine can be cut off",
		"cores and mem of a machine are not enforced",
	}}
}
