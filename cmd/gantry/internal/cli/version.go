package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newVersion(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this client",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			return sh.answer(map[string]string{"version": sh.Version}, func(w io.Writer) { fmt.Fprintln(w, sh.Version) })
		},
	}
}
