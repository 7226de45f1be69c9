package cli

import (
	"bytes"
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// upload builds the charm of a directory and stores it with the controller.
func (s *session) upload(ctx context.Context, dir string) (operator.CharmSummary, error) {
	under := s.begin("building the charm in " + dir)
	defer under.end()
	archive, err := packCharm(ctx, dir)
	if err != nil {
		return operator.CharmSummary{}, err
	}
	under.tell(fmt.Sprintf("uploading the charm in %s (%d KiB)", dir, len(archive)>>10))
	return s.client.UploadCharm(ctx, s.model, bytes.NewReader(archive))
}
