package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

type removeRelationOptions struct {
	changeOptions
	force bool
}

func newRemoveRelation(sh *shell) *cobra.Command {
	o := &removeRelationOptions{}
	cmd := &cobra.Command{
		Use:   "remove-relation APPLICATION[:ENDPOINT] APPLICATION[:ENDPOINT] | ID",
		Short: "Part two applications",
		Args:  between(1, 2, "two applications, or a relation's id"),
		RunE:  sh.connected(o.run),
	}
	cmd.Flags().BoolVar(&o.force, "force", false, "do not wait for units that cannot be heard")
	o.register(cmd)
	return cmd
}

func (o *removeRelationOptions) run(ctx context.Context, s *session, args []string) error {
	request := operator.RemoveRelation{Change: o.change(), Model: s.model, Force: o.force}
	if len(args) == 1 {
		id, err := strconv.ParseUint(args[0], 10, 64)
		if err != nil || id == 0 {
			return fmt.Errorf("remove-relation %q: expected a relation's number, see gantry status --relations, or two applications: %w", args[0], model.ErrInvalid)
		}
		request.Relation = model.RelationID(id)
	} else {
		ends, err := parseAll(args, model.ParseEndpointRef)
		if err != nil {
			return err
		}
		request.A, request.B = ends[0], ends[1]
	}
	what := strings.Join(args, " and ")
	done, err := commit(ctx, s, "removing relation "+what, func(ctx context.Context) (operator.Committed, error) {
		return s.client.RemoveRelation(ctx, request)
	})
	if err != nil {
		return err
	}
	return s.conclude(ctx, o.changeOptions, done, done, "removing relation %s", what)
}
