package provider

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// HostsFile is the text of a machine's /etc/hosts: itself first, then the
// entries ordered by name, so that equal entries give equal bytes.
func HostsFile(hostname string, address netip.Addr, entries []HostEntry) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	fmt.Fprintf(&b, "%v %s\n", address, hostname)
	sorted := slices.SortedFunc(slices.Values(entries), func(a, b HostEntry) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), a.Address.Compare(b.Address))
	})
	for _, e := range slices.Compact(sorted) {
		fmt.Fprintf(&b, "%v %s\n", e.Address, e.Name)
	}
	return b.String()
}
