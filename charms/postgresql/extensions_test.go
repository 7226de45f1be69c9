package postgresql

import (
	"slices"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model/charm"
)

func TestEveryPluginOptionTurnsOneExtensionOn(t *testing.T) {
	c, err := charm.Read("charms/postgresql", Files)
	if err != nil {
		t.Fatal(err)
	}
	var declared, known []string
	for name := range c.Config.Defaults() {
		if strings.HasPrefix(name, "plugin_") {
			declared = append(declared, name)
		}
	}
	for _, e := range contrib {
		known = append(known, pluginOption(e))
	}
	slices.Sort(declared)
	slices.Sort(known)
	if !slices.Equal(declared, known) {
		t.Fatalf("charm.yaml declares %v, the charm knows %v", declared, known)
	}
}
