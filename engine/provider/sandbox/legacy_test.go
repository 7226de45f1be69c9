package sandbox

import (
	"strings"
	"testing"
)

func TestALegacyChainThatDropsForwardedPacketsIsTold(t *testing.T) {
	tests := []struct {
		name, rules string
		told        bool
	}{
		{"a policy of accept drops nothing", "-P FORWARD ACCEPT\n-A FORWARD -j DOCKER-USER\n", false},
		{"Docker's policy drops ours", "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n-A FORWARD -i docker0 -j ACCEPT\n", true},
		{"half an exception is none", "-P FORWARD DROP\n-A FORWARD -i gnt+ -j ACCEPT\n", true},
		{"what it says to run helps", "-P FORWARD DROP\n-A FORWARD -o gnt+ -j ACCEPT\n-A FORWARD -i gnt+ -j ACCEPT\n", false},
	}
	for _, tt := range tests {
		said := droppedBy("iptables-legacy", tt.rules)
		if (said != "") != tt.told || tt.told && !strings.Contains(said, "iptables-legacy -I FORWARD -i gnt+ -j ACCEPT") {
			t.Errorf("%s: said %q", tt.name, said)
		}
	}
}
