package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func newShowUnit(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "show-unit UNIT...",
		Short: "Show all that there is to see of units",
		Long:  "Show units: what they do, serve and publish, and what their relations say to them.",
		Args:  atLeast("a unit"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			units, err := parseAll(args, model.ParseUnitName)
			if err != nil {
				return err
			}
			list := make([]operator.UnitDetail, 0, len(units))
			for _, u := range units {
				detail, err := s.client.ShowUnit(ctx, s.model, u)
				if err != nil {
					return err
				}
				list = append(list, detail)
			}
			return s.answer(oneOrAll(list), func(w io.Writer) {
				for _, u := range list {
					writeUnit(w, s.palette(), u)
				}
			})
		}),
	}
}

func newShowApplication(sh *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "show-application APPLICATION...",
		Short: "Show all that there is to see of applications",
		Long:  "Show applications: their endpoints, relations, options that are set, records and actions.",
		Args:  atLeast("an application"),
		RunE: sh.connected(func(ctx context.Context, s *session, args []string) error {
			names, err := parseAll(args, model.ParseApplicationName)
			if err != nil {
				return err
			}
			list := make([]operator.ApplicationDetail, 0, len(names))
			for _, name := range names {
				detail, err := s.client.ShowApplication(ctx, s.model, name)
				if err != nil {
					return err
				}
				list = append(list, detail)
			}
			return s.answer(oneOrAll(list), func(w io.Writer) {
				for _, a := range list {
					writeApplication(w, s.palette(), a)
				}
			})
		}),
	}
}

// oneOrAll is the answer for what may be asked of one or of several: an object
// or a list of them.
func oneOrAll[A any](list []A) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}
