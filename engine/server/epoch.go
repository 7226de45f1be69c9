package server

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

// superseded refuses a caller that has heard of a later life of the control
// plane than this controller is of: one that was restored from a backup leads,
// and nothing that is still promised here would hold. To the caller it is one
// that does not lead.
func superseded(ctx context.Context, own model.Epoch) error {
	md, _ := metadata.FromIncomingContext(ctx)
	known, err := model.ParseEpoch(strings.Join(md.Get(wire.HeaderEpoch), ""))
	if err != nil {
		return err
	}
	if own.Obeys(known) {
		return nil
	}
	return fmt.Errorf("%w: it was superseded by a restore from a backup (epoch %v, this is %q): stop it for good", errNotLeading, known, own)
}
