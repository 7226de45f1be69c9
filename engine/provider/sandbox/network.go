package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/model"
)

// hostLock serialises what all installs of a host share: the choice of a
// subnet, and forwarding.
const hostLock = "/run/gantry-host.lock"

// network is the bridge of an install and the links of its machines.
type network struct {
	id   string
	file string // remembers the subnet, so that machines keep their addresses
	log  *slog.Logger
}

// bridgePrefix begins the names of the bridges of all installs.
const bridgePrefix = "gnt"

func (n network) bridge() string { return bridgePrefix + n.id }

// link names the host's end of a machine's link by the last number of its
// address, which no other machine of the install has.
func (n network) link(a netip.Addr) string {
	return fmt.Sprintf("gv%s-%d", n.id, a.As4()[3])
}

// ensure makes the bridge, the rules and forwarding where they are missing,
// and returns the subnet.
func (n network) ensure(ctx context.Context) (netip.Prefix, error) {
	unlock, err := store.Lock(ctx, hostLock)
	if err != nil {
		return netip.Prefix{}, err
	}
	defer unlock()
	subnet, err := n.subnet()
	if err != nil {
		return subnet, err
	}
	if err := n.ensureBridge(subnet); err != nil {
		return subnet, fmt.Errorf("bridge %s: %w", n.bridge(), err)
	}
	if err := n.ensureRules(subnet); err != nil {
		return subnet, fmt.Errorf("rules of bridge %s: %w", n.bridge(), err)
	}
	return subnet, enableForwarding(n.id)
}

// subnet is the remembered one, or one that is free now.
func (n network) subnet() (netip.Prefix, error) {
	var subnet netip.Prefix
	err := store.ReadJSON(n.file, &subnet)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return subnet, err
	}
	taken, err := takenPrefixes()
	if err != nil {
		return subnet, err
	}
	if subnet, err = chooseSubnet(n.id, taken); err != nil {
		return subnet, err
	}
	return subnet, store.WriteJSON(n.file, subnet)
}

// takenPrefixes are the destinations of all routes, the addresses of all links
// and the name servers of this host.
func takenPrefixes() ([]netip.Prefix, error) {
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return nil, fmt.Errorf("read routes: %w", err)
	}
	var taken []netip.Prefix
	add := func(n *net.IPNet) {
		if n == nil {
			return
		}
		if addr, ok := netip.AddrFromSlice(n.IP.To4()); ok {
			ones, _ := n.Mask.Size()
			taken = append(taken, netip.PrefixFrom(addr, ones))
		}
	}
	for _, r := range routes {
		add(r.Dst)
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	for _, a := range addrs {
		add(a.IPNet)
	}
	for _, s := range nameServers(resolvConf()) {
		if s.Is4() {
			taken = append(taken, netip.PrefixFrom(s, 32))
		}
	}
	return taken, nil
}

func (n network) ensureBridge(subnet netip.Prefix) error {
	link, err := netlink.LinkByName(n.bridge())
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.MTU = n.bridge(), uplinkMTU()
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil {
			return err
		}
		link, err = netlink.LinkByName(n.bridge())
	}
	if err != nil {
		return err
	}
	gateway := netip.PrefixFrom(subnet.Addr().Next(), subnet.Bits())
	if err := netlink.AddrReplace(link, address(gateway)); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// uplinkMTU is the packet size of the default route's link: a larger one on
// the bridge would lose packets in silence where the path forbids fragments.
func uplinkMTU() int {
	const ethernet = 1500
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return ethernet
	}
	for _, r := range routes {
		if r.Dst != nil && r.Dst.IP.IsUnspecified() {
			if link, err := netlink.LinkByIndex(r.LinkIndex); err == nil {
				return min(link.Attrs().MTU, ethernet)
			}
		}
	}
	return ethernet
}

// attach joins the network namespace of a process to the bridge.
func (n network) attach(pid int, a netip.Addr, subnet netip.Prefix) error {
	bridge, err := netlink.LinkByName(n.bridge())
	if err != nil {
		return fmt.Errorf("bridge %s: %w", n.bridge(), err)
	}
	if err := n.detach(a); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex = n.link(a), bridge.Attrs().MTU, bridge.Attrs().Index
	pair := &netlink.Veth{
		LinkAttrs: attrs, PeerName: "eth0", PeerMTU: uint32(attrs.MTU),
		PeerHardwareAddr: hardwareAddress(a), PeerNamespace: netlink.NsPid(pid),
	}
	if err := netlink.LinkAdd(pair); err != nil {
		return fmt.Errorf("link %s: %w", attrs.Name, err)
	}
	if err := configureInside(pid, netip.PrefixFrom(a, subnet.Bits()), subnet.Addr().Next()); err != nil {
		return fmt.Errorf("eth0 of link %s: %w", attrs.Name, err)
	}
	return n.setLink(a, netlink.LinkSetUp)
}

func configureInside(pid int, a netip.Prefix, gateway netip.Addr) error {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return err
	}
	defer ns.Close()
	inside, err := netlink.NewHandleAt(ns)
	if err != nil {
		return err
	}
	defer inside.Close()
	for _, name := range []string{"lo", "eth0"} {
		link, err := inside.LinkByName(name)
		if err != nil {
			return err
		}
		if name == "eth0" {
			if err := inside.AddrReplace(link, address(a)); err != nil {
				return err
			}
		}
		if err := inside.LinkSetUp(link); err != nil {
			return err
		}
	}
	return inside.RouteReplace(&netlink.Route{Gw: gateway.AsSlice()})
}

func address(p netip.Prefix) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
}

// setLink applies a change to the host's end of a machine's link.
func (n network) setLink(a netip.Addr, change func(netlink.Link) error) error {
	link, err := netlink.LinkByName(n.link(a))
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return fmt.Errorf("link %s: %w", n.link(a), model.ErrNotFound)
	}
	if err == nil {
		err = change(link)
	}
	if err != nil {
		return fmt.Errorf("link %s: %w", n.link(a), err)
	}
	return nil
}

// detach removes the link of a machine. An absent one is success.
func (n network) detach(a netip.Addr) error {
	err := n.setLink(a, netlink.LinkDel)
	if errors.Is(err, model.ErrNotFound) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// links lists the last address numbers of all machines' links.
func (n network) links() (map[byte]bool, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	found := map[byte]bool{}
	for _, link := range all {
		rest, ours := strings.CutPrefix(link.Attrs().Name, "gv"+n.id+"-")
		if last, err := strconv.ParseUint(rest, 10, 8); ours && err == nil {
			found[byte(last)] = true
		}
	}
	return found, nil
}

// remove takes down the bridge, the rules and forwarding. The subnet stays
// remembered.
func (n network) remove(ctx context.Context) error {
	unlock, err := store.Lock(ctx, hostLock)
	if err != nil {
		return err
	}
	defer unlock()
	if err := n.removeRules(); err != nil {
		return fmt.Errorf("rules of bridge %s: %w", n.bridge(), err)
	}
	link, err := netlink.LinkByName(n.bridge())
	if err == nil {
		err = netlink.LinkDel(link)
	}
	if err != nil && !errors.As(err, &netlink.LinkNotFoundError{}) {
		return fmt.Errorf("bridge %s: %w", n.bridge(), err)
	}
	return releaseForwarding(n.id)
}

// resolvConf is the host's resolver configuration as machines can use it:
// where the host asks a stub on its own loopback, what that stub asks.
func resolvConf() string {
	var text string
	for _, path := range []string{"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"} {
		b, err := os.ReadFile(filepath.Clean(path))
		if err != nil {
			continue
		}
		text = string(b)
		servers := nameServers(text)
		if len(servers) > 0 && !servers[0].IsLoopback() {
			return text
		}
	}
	return text
}

func nameServers(resolv string) []netip.Addr {
	var servers []netip.Addr
	for line := range strings.Lines(resolv) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(fields[1]); err == nil {
			servers = append(servers, a)
		}
	}
	return servers
}
