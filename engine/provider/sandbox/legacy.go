package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// legacyTables lists the tables of the older iptables, which nftables does not
// see; it is empty, or not there, where nobody has used them since the boot.
const legacyTables = "/proc/net/ip_tables_names"

// anyBridge matches the bridges of all installs.
const anyBridge = bridgePrefix + "+"

// DroppedForwarding says that a legacy iptables chain (older Dockers make one)
// drops what is forwarded, and what to do; "" where none does. Rules of ours in
// nftables cannot overrule it.
func DroppedForwarding() string {
	tables, err := os.ReadFile(legacyTables)
	if errors.Is(err, fs.ErrNotExist) || !slices.Contains(strings.Fields(string(tables)), "filter") {
		return ""
	}
	for _, tool := range []string{"iptables-legacy", "iptables"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			continue
		}
		version, err := exec.Command(path, "--version").Output()
		if err != nil || bytes.Contains(version, []byte("nf_tables")) {
			continue
		}
		rules, err := exec.Command(path, "--wait", "5", "--list-rules", "FORWARD").Output()
		if err != nil {
			return fmt.Sprintf("packets from and to machines may be dropped: the rules of %s FORWARD cannot be read: %v", tool, err)
		}
		return droppedBy(tool, string(rules))
	}
	return ""
}

// droppedBy judges the rules of a FORWARD chain.
func droppedBy(tool, rules string) string {
	lines := strings.Split(rules, "\n")
	if !slices.Contains(lines, "-P FORWARD DROP") {
		return ""
	}
	passes := func(direction string) bool {
		return slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "-A FORWARD "+direction+" "+bridgePrefix) && strings.HasSuffix(line, "-j ACCEPT")
		})
	}
	if passes("-i") && passes("-o") {
		return ""
	}
	return fmt.Sprintf("a firewall (Docker's, perhaps) drops forwarded packets by the policy of %[1]s FORWARD: machines reach nothing outside; run `sudo %[1]s -I FORWARD -i %[2]s -j ACCEPT && sudo %[1]s -I FORWARD -o %[2]s -j ACCEPT`",
		tool, anyBridge)
}
