package sandbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/depot"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// software returns a layer for each software, and makes what is missing. It is
// fetched once on this host, whose Maven is set up for it, and stands on no
// base: all machines that want it share the files. One that cannot be fetched
// here gets no layer; the machine's own agent fetches it, or says why not.
func (m images) software(ctx context.Context, all []effect.Software, user string) ([]string, error) {
	var layers []string
	for _, s := range all {
		layer, err := m.softwareLayer(ctx, s, user)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			m.log.Warn("no layer of software: the machine fetches it by itself", "software", s.Directory(), "error", err)
		default:
			layers = append(layers, layer)
		}
	}
	return layers, nil
}

func (m images) softwareLayer(ctx context.Context, s effect.Software, user string) (string, error) {
	dir := filepath.Join(m.layers(), digest("software", s.Directory()))
	for {
		err := m.once(ctx, dir, func(partial string, _ *os.File) error {
			m.progress(provider.Progress{Phase: "layer", Detail: "fetching " + s.String()})
			d := depot.Depot{Root: filepath.Join(partial, "root", depot.Place), Maven: m.maven, Cache: filepath.Join(m.cache, "maven")}
			return d.Put(ctx, s)
		})
		if err != nil {
			return "", fmt.Errorf("layer of software %s: %w", s.Name, err)
		}
		// It may have been collected meanwhile.
		if used, err := m.use(ctx, dir, user); used || err != nil {
			return filepath.Join(dir, "root"), err
		}
	}
}
