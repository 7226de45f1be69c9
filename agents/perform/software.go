package perform

import (
	"context"

	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// mavenPackage is what brings Maven's client to a machine.
const mavenPackage = "maven"

// client names the packages that it takes to have Maven's client here, where
// that is missing and wanted: a machine whose layers hold the software needs
// none.
func (m Machine) client(ctx context.Context, w effect.Software) (adds []string, err error) {
	if !m.lacksClient(w) {
		return nil, nil
	}
	return m.Packages.Plan(ctx, mavenPackage, "")
}

func (m Machine) lacksClient(w effect.Software) bool {
	return len(w.Jars) > 0 && !m.Software.Has(w.Directory()) && !depot.Maven() && m.Packages != nil && m.Packages.Superuser
}

// fetch brings the software to the machine, or verifies what is there of it.
func (m Machine) fetch(ctx context.Context, w effect.Software) error {
	if m.lacksClient(w) {
		if err := m.Packages.Install(ctx, mavenPackage, ""); err != nil {
			return err
		}
	}
	return m.Software.Put(ctx, w)
}
