package roles

import (
	"context"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/controller"
	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model/provision"
)

// startControllers starts the machines of this host that carry controllers,
// after a down or a reboot: until a majority of the controllers runs nobody
// leads, and the host agent is not told to.
func startControllers(ctx context.Context, p Places, install Install) error {
	others, err := controller.HasOthers(p.controller())
	if err != nil || !others {
		return err
	}
	made, err := openProvider(ctx, p, install, logger("up"), nil)
	if err != nil {
		return err
	}
	all, err := made.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Model != controller.Model || i.State == provider.Running {
			continue
		}
		files, err := startFiles(install, provision.Machine{UUID: i.UUID})
		if err != nil {
			return err
		}
		spec := provider.Spec{UUID: i.UUID, Model: i.Model, Name: i.Name, Hostname: fmt.Sprintf("%s-%s", i.Model, i.Name), Files: files}
		if _, err := made.Create(ctx, spec); err != nil {
			return fmt.Errorf("start the controllers' machine %s: %w", i.Name, err)
		}
	}
	return nil
}
