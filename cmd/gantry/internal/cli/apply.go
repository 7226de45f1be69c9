package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model/bundle"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type applyOptions struct {
	changeOptions
	bundleOptions
}

// bundleOptions are the flags that apply and plan share.
type bundleOptions struct {
	overlays []string
	prune    bool
}

func (o *bundleOptions) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.overlays, "overlay", nil, "file to lay over the bundle; may be repeated, the last wins")
	cmd.Flags().BoolVar(&o.prune, "prune", false, "remove what the bundle does not name")
}

func newApply(sh *shell) *cobra.Command {
	o := &applyOptions{}
	cmd := &cobra.Command{
		Use:   "apply BUNDLE",
		Short: "Make the model what a bundle says",
		Long: `Make the model what a bundle says, in one revision: what is missing is added,
what differs is changed, and what the bundle does not name goes with --prune only.
Applied again, it changes nothing. gantry plan shows beforehand what it would do.`,
		Example: "  gantry apply bundle.yaml --overlay site.yaml --wait --timeout 15m",
		Args:    exactly("a bundle's file"),
		RunE:    sh.connected(o.run),
	}
	o.bundleOptions.register(cmd)
	o.changeOptions.register(cmd)
	return cmd
}

func (o *applyOptions) run(ctx context.Context, s *session, args []string) error {
	b, request, err := s.bundleRequest(ctx, args[0], o.bundleOptions)
	if err != nil {
		return err
	}
	request.Change = o.change()
	done, err := commit(ctx, s, "applying "+args[0], func(ctx context.Context) (operator.Applied, error) {
		return s.client.Apply(ctx, request)
	})
	if err != nil {
		return s.locate(err, b)
	}
	if err := s.answer(done, func(w io.Writer) { s.writeApplied(w, done) }); err != nil || !o.wait {
		return err
	}
	return s.converge(ctx, done.Committed.Revision, o.timeout)
}

func (s *session) writeApplied(w io.Writer, done operator.Applied) {
	if len(done.Differences) == 0 {
		fmt.Fprintln(w, "no changes")
		return
	}
	writeDifferences(w, s.palette(), done.Differences)
	fmt.Fprintf(w, "applied %s (revision %d)\n", counted(len(done.Differences), "change"), done.Committed.Revision)
}

// bundleRequest reads a bundle with its overlays, and uploads what charms of
// its own it names.
func (s *session) bundleRequest(ctx context.Context, file string, o bundleOptions) (bundleFile, operator.Apply, error) {
	b, warnings, err := readBundle(file, o.overlays)
	for _, warning := range warnings {
		s.note("gantry: warning: %s", warning)
	}
	if err != nil {
		return bundleFile{}, operator.Apply{}, err
	}
	read := bundleFile{Bundle: b, dir: filepath.Dir(file)}
	sent, err := s.uploadCharms(ctx, read)
	if err != nil {
		return read, operator.Apply{}, err
	}
	return read, operator.Apply{Model: s.model, Bundle: bundle.Encode(sent), Prune: o.prune}, nil
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
