package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func newExportBundle(sh *shell) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "export-bundle",
		Short: "Print the bundle that would make the model",
		Args:  exactly(),
		RunE: sh.connected(func(ctx context.Context, s *session, _ []string) error {
			b, err := s.client.ExportBundle(ctx, s.model)
			if err != nil {
				return err
			}
			if file == "" {
				_, err = s.Stdout.Write(b)
				return err
			}
			if err := os.WriteFile(file, b, 0o644); err != nil {
				return fmt.Errorf("write bundle: %w", err)
			}
			s.say("wrote %s", file)
			return nil
		}),
	}
	cmd.Flags().StringVar(&file, "filename", "", "file to write it to")
	return cmd
}
