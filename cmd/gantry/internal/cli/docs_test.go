package cli_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/cmd/gantry/internal/cli"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("../../../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryCommandAndFlagIsInTheDocument(t *testing.T) {
	text := document(t, "commands.md")
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() {
			return
		}
		if !strings.Contains(text, "\n## "+cmd.CommandPath()+"\n") || !strings.Contains(text, cmd.UseLine()) {
			t.Errorf("docs/commands.md is behind: it does not have %q; run make docs", cmd.UseLine())
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	for _, cmd := range cli.New(cli.Config{}).Commands() {
		visit(cmd)
	}
}

func TestTheSchemaOfTheStatusNamesEveryField(t *testing.T) {
	text := document(t, "status-schema.md")
	seen := map[reflect.Type]bool{reflect.TypeFor[effect.HostFacts](): true} // the agent's own
	var visit func(reflect.Type)
	visit = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] || !strings.Contains(typ.PkgPath(), "gantry") {
			return
		}
		seen[typ] = true
		for field := range typ.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			if !strings.Contains(text, "`"+name+"`") {
				t.Errorf("docs/status-schema.md does not say what %s of %s is", name, typ)
			}
			visit(field.Type)
		}
	}
	visit(reflect.TypeFor[operator.Status]())
}
