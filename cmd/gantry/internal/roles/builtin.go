package roles

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/charms/beacon"
	"github.com/gantry-orchestrator/gantry/charms/controller"
	"github.com/gantry-orchestrator/gantry/charms/dataintegrator"
	"github.com/gantry-orchestrator/gantry/charms/etcd"
	"github.com/gantry-orchestrator/gantry/charms/kafka"
	"github.com/gantry-orchestrator/gantry/charms/pgbouncer"
	"github.com/gantry-orchestrator/gantry/charms/pgbouncer/standalone"
	"github.com/gantry-orchestrator/gantry/charms/postgresql"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/telemetry"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Builtins are the charms that this binary brings.
func Builtins() []sdk.Builtin {
	return []sdk.Builtin{
		{Name: "beacon", Files: beacon.Files, Charm: beacon.Charm{}},
		{Name: "controller", Files: controller.Files, Charm: controller.Charm{}},
		{Name: "data-integrator", Files: dataintegrator.Files, Charm: dataintegrator.Charm{}},
		{Name: "etcd", Files: etcd.Files, Charm: etcd.Charm{}},
		{Name: "kafka", Files: kafka.Files, Charm: kafka.Charm{}},
		{Name: "pgbouncer", Files: pgbouncer.Files, Charm: pgbouncer.Charm{}},
		{Name: "pgbouncer-standalone", Files: standalone.Files, Charm: pgbouncer.Charm{}},
		{Name: "postgresql", Files: postgresql.Files, Charm: postgresql.Charm{}},
		{Name: "telemetry", Files: telemetry.Files, Charm: telemetry.Charm{}},
		{Name: "tls-certificates", Files: tlscertificates.Files, Charm: tlscertificates.Charm{}},
	}
}

// builtInPrefix begins the revision of a charm that is built in; agents of the
// same version have it already.
const builtInPrefix = "builtin-"

func builtIn(charm effect.Charm) bool { return strings.HasPrefix(charm.Revision, builtInPrefix) }

const charmCommand = "charm-exec"

// program is the command that runs a built-in charm.
func program(name model.CharmName) ([]string, error) {
	for _, b := range Builtins() {
		if b.Name == name {
			self, err := os.Executable()
			return []string{self, charmCommand, string(name)}, err
		}
	}
	return nil, fmt.Errorf("charm %q is not built in: %w", name, model.ErrNotFound)
}

// charmExec is the process of a built-in charm: what follows its name is as
// sdk.Exec takes it.
func charmExec() *cobra.Command {
	return &cobra.Command{
		Use: charmCommand + " NAME [ARGUMENTS]", Hidden: true, DisableFlagParsing: true, Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return execCharm(cmd.Context(), args[0], args[1:]) },
	}
}

func execCharm(ctx context.Context, name string, args []string) error {
	for _, b := range Builtins() {
		if string(b.Name) == name {
			return sdk.Exec(ctx, b.Charm, args)
		}
	}
	return fmt.Errorf("charm %q is not built in: %w", name, model.ErrNotFound)
}
