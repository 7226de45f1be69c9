package sandbox

import "context"

// Watch implements provider.Watcher.
func (p *Provider) Watch(ctx context.Context, exited func(uuid string)) error {
	return p.watches.Run(ctx, exited)
}
