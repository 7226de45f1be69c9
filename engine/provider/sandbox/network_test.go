package sandbox

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/nftables"

	"github.com/gantry-orchestrator/gantry/engine/provider"
)

func TestAFreeSubnetIsChosenInAnOrderThatTheInstallDecides(t *testing.T) {
	first, err := chooseSubnet("0a1b2c", nil)
	if err != nil || first.Bits() != 24 || first.Addr().As4()[0] != 10 {
		t.Fatalf("chose %v (%v), want a /24 of 10.0.0.0/8", first, err)
	}
	if other, _ := chooseSubnet("ffffff", nil); other == first {
		t.Errorf("two installs choose %v", other)
	}
	for rule, taken := range map[string]netip.Prefix{
		"a route to the subnet":     first,
		"a route to a part of it":   netip.PrefixFrom(first.Addr().Next(), 32),
		"a route to more than it":   netip.PrefixFrom(first.Addr(), 16).Masked(),
		"an address that is in use": netip.PrefixFrom(first.Addr().Next().Next(), 24),
	} {
		got, err := chooseSubnet("0a1b2c", []netip.Prefix{taken})
		if err != nil || got.Overlaps(taken.Masked()) {
			t.Errorf("%s: chose %v (%v), want another", rule, got, err)
		}
	}
	if got, _ := chooseSubnet("0a1b2c", []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}); got != first {
		t.Errorf("a default route made it choose %v, want %v", got, first)
	}
	if got, err := chooseSubnet("0a1b2c", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}); err == nil {
		t.Errorf("chose %v though all of 10.0.0.0/8 is taken", got)
	}
}

func TestNameServersAreReadFromResolvConf(t *testing.T) {
	got := nameServers("# nameserver 1.1.1.1\nsearch x\nnameserver 10.0.0.53\nnameserver fd00::1\nnameserver nonsense\n")
	if len(got) != 2 || got[0] != netip.MustParseAddr("10.0.0.53") || got[1] != netip.MustParseAddr("fd00::1") {
		t.Errorf("read %v", got)
	}
}

// dropForwarded makes a chain as Docker's or a firewall's, and returns how
// many rules are in it.
func dropForwarded(t *testing.T) func() int {
	t.Helper()
	nft, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	drop := nftables.ChainPolicyDrop
	table := nft.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "filter"})
	chain := nft.AddChain(&nftables.Chain{
		Table: table, Name: "FORWARD", Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &drop,
	})
	if err := nft.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nft.DelTable(table)
		if err := nft.Flush(); err != nil {
			t.Error(err)
		}
	})
	return func() int {
		rules, err := nft.GetRules(table, chain)
		if err != nil {
			t.Fatal(err)
		}
		return len(rules)
	}
}

func TestAFirewallThatDropsForwardedPacketsLetsOursPassAndIsRestored(t *testing.T) {
	needRoot(t)
	rules := dropForwarded(t)
	p := openAt(t, t.TempDir())
	for range 2 {
		if _, err := p.network.ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := rules(); n != 2 {
			t.Errorf("the chain has %d rules, want one for each direction", n)
		}
	}
	purge(t, p)
	if n := rules(); n != 0 {
		t.Errorf("after purge the chain has %d rules", n)
	}
}

func TestForwardingIsRestoredByTheLastInstallToLeave(t *testing.T) {
	needRoot(t)
	sysctl := func() string {
		b, err := os.ReadFile(forwardingSysctl)
		if err != nil {
			t.Fatal(err)
		}
		return string(bytes.TrimSpace(b))
	}
	was := sysctl()
	dir := t.TempDir()
	one, two := openAt(t, filepath.Join(dir, "one")), openAt(t, filepath.Join(dir, "two"))
	for _, p := range []*Provider{one, two} {
		if _, err := p.network.ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Down(t.Context()); err != nil || sysctl() != "1" {
		t.Errorf("the first to leave (%v) set it to %s", err, sysctl())
	}
	purge(t, two)
	if got := sysctl(); got != was {
		t.Errorf("the last to leave set it to %s, was %s", got, was)
	}
	purge(t, one)
}

func TestManyMachinesAtOnceHaveDifferentAddresses(t *testing.T) {
	p := openAt(t, t.TempDir())
	defer purge(t, p)
	const machines = 10
	made := make(chan provider.Instance, machines)
	failed := make(chan error, machines)
	for n := range machines {
		go func() {
			i, err := p.Create(context.WithoutCancel(t.Context()), provider.Spec{UUID: "m" + string(rune('0'+n)), Hostname: "alpha"})
			made <- i
			failed <- err
		}()
	}
	seen := map[netip.Addr]bool{}
	for range machines {
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		i := <-made
		if seen[i.Address] || !reachable(i) {
			t.Errorf("machine %s has %v, seen is %v", i.UUID, i.Address, seen)
		}
		seen[i.Address] = true
	}
}

func TestAPathIsEscapedAsTheKernelReadsMountOptions(t *testing.T) {
	if got := (disk{Lower: []string{`/a:b`, `/c,d`}, Upper: `/e\f`, Work: "/w"}).options(); got != `lowerdir=/a\:b:/c\,d,upperdir=/e\\f,workdir=/w` {
		t.Errorf("options are %s", got)
	}
}

func TestBuildProgressIsWhatAnOperatorWantsToSee(t *testing.T) {
	for line, want := range map[string]string{
		"Get:12 http://mirror/debian bookworm/main amd64 less amd64 590 [131 kB]": "fetching http://mirror/debian bookworm/main amd64 less amd64 590 [131 kB]",
		"Setting up less (590-2.1) ...":                                           "Setting up less (590-2.1) ...",
		"I: downloading packages with apt...":                                     "downloading packages with apt...",
		"Reading package lists...":                                                "",
	} {
		got, ok := buildProgress(line)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: said %q (%v), want %q", line, got, ok, want)
		}
	}
	if strings.Contains(buildScript, "upgrade") {
		t.Error("a build upgrades what is installed")
	}
}
