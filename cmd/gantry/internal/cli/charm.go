package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/charms/sdk/scaffold"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
)

func newCharm(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "charm",
		Short: "List charms, and write your own",
		Args:  noCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCharmList(sh), newCharmInit(sh), newCharmLint(sh), newCharmTest(sh), newCharmLock(sh))
	return cmd
}

func newCharmList(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the charms that can be deployed",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			list, err := s.client.ListCharms(ctx)
			if err != nil {
				return err
			}
			return s.answer(list, func(w io.Writer) {
				t := &table{}
				t.row("Charm", "Revision", "Origin", "Summary")
				for _, c := range list {
					origin := "uploaded"
					if c.BuiltIn {
						origin = "built in"
					}
					t.row(string(c.Name), shortRevision(c.Revision, c.Name), origin, firstLine(c.Summary))
				}
				t.write(w)
			})
		}),
	}
}

// shortRevision is a charm's revision as a person reads it: the version of one
// that is built in, the beginning of another's hash.
func shortRevision(revision string, name model.CharmName) string {
	if version, ok := strings.CutPrefix(revision, "builtin-"+string(name)+"-"); ok {
		return version
	}
	return revision[:min(12, len(revision))]
}

func newCharmInit(sh *shell) *cobra.Command {
	var name, gantry string
	cmd := &cobra.Command{
		Use:   "init DIRECTORY",
		Short: "Write a new charm, small but whole",
		Long: `Write a new charm, small but whole: metadata, code, a workload and tests. It is
built against the checkout of Gantry that this command was built in, where it is
still there, else against the published module.`,
		Example: "  gantry charm init ./hello",
		Args:    exactly("a directory"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := filepath.Abs(args[0])
			if err != nil {
				return fmt.Errorf("charm init: %w", err)
			}
			source, err := checkout(gantry)
			if err != nil {
				return err
			}
			files, err := scaffold.Init(args[0], firstOf(name, filepath.Base(dir)), source)
			if err != nil {
				return err
			}
			return sh.answer(files, func(w io.Writer) {
				for _, f := range files {
					fmt.Fprintln(w, "wrote", f)
				}
				fmt.Fprintf(w, "next: cd %s && go mod tidy && gantry charm test, then gantry deploy ./\n", filepath.Clean(args[0]))
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the charm; the directory's without it")
	cmd.Flags().StringVar(&gantry, "gantry", "", "checkout of Gantry to build it against")
	return cmd
}

// gantryModule begins the go.mod of a checkout of Gantry.
const gantryModule = "module github.com/gantry-orchestrator/gantry\n"

// checkout is the checkout of Gantry that was named, or the one that this
// program lies in, "" where there is none.
func checkout(named string) (string, error) {
	isOne := func(dir string) bool {
		head, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		return err == nil && strings.HasPrefix(string(head), gantryModule)
	}
	if named != "" {
		dir, err := filepath.Abs(named)
		if err == nil && !isOne(dir) {
			err = fmt.Errorf("--gantry %s: it is no checkout of Gantry: %w", named, model.ErrInvalid)
		}
		return dir, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil
	}
	for dir := filepath.Dir(self); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if isOne(dir) {
			return dir, nil
		}
	}
	return "", nil
}

func newCharmLint(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "lint [DIRECTORY]",
		Short: "Check what a charm declares, and vet its code",
		Args:  between(0, 1, "a directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := firstOf(append(args, ".")...)
			if _, err := charm.Read(dir, os.DirFS(dir)); err != nil {
				return err
			}
			if err := sh.goTool(cmd.Context(), dir, "vet", "./..."); err != nil {
				return err
			}
			sh.say("%s: no mistake found", dir)
			return nil
		},
	}
}

func newCharmTest(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "test [DIRECTORY] [-- GO-TEST-FLAGS...]",
		Short: "Run a charm's tests, in memory",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				dir, args = args[0], args[1:]
			}
			return sh.goTool(cmd.Context(), dir, append([]string{"test", "./..."}, args...)...)
		},
	}
}

// goTool runs the go command in a charm's directory.
func (sh *shell) goTool(ctx context.Context, dir string, args ...string) error {
	if _, err := os.Stat(filepath.Join(dir, charm.GantryFile)); err != nil {
		return fmt.Errorf("charm %s: there is no %s in it: %w", dir, charm.GantryFile, err)
	}
	tool := exec.CommandContext(ctx, "go", args...)
	tool.Dir, tool.Stdout, tool.Stderr = dir, sh.Stdout, sh.Stderr
	if err := tool.Run(); err != nil {
		return fmt.Errorf("go %s in %s: %w", strings.Join(args, " "), dir, err)
	}
	return nil
}
