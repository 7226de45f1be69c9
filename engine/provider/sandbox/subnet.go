package sandbox

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/gantry-orchestrator/gantry/model"
)

const subnetTries = 4096

// chooseSubnet returns the first /24 of 10.0.0.0/8, in an order that the
// install's id decides, that overlaps nothing taken.
func chooseSubnet(id string, taken []netip.Prefix) (netip.Prefix, error) {
	for i := range uint32(subnetTries) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(id), i))
		candidate := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, sum[0], sum[1], 0}), 24)
		if free(candidate, taken) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("no /24 of 10.0.0.0/8 is free for machines, look at `ip route`: %w", model.ErrUnavailable)
}

// free reports whether nothing taken overlaps a subnet. A default route
// overlaps everything and is no claim.
func free(subnet netip.Prefix, taken []netip.Prefix) bool {
	for _, t := range taken {
		if t.Bits() > 0 && t.Overlaps(subnet) {
			return false
		}
	}
	return true
}

// hardwareAddress derives a link's address from its network address, so that a
// restarted machine is not hidden by its neighbours' caches.
func hardwareAddress(a netip.Addr) []byte {
	ip := a.As4()
	return append([]byte{0x02, 0x67}, ip[:]...)
}
