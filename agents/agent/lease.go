package agent

import (
	"context"
	"log/slog"
	"time"
)

// lead notes until when leadership lasts, and renews the leases of the unit's
// services that run only under it: the supervisor stops one whose lease is
// not renewed, agent alive or not.
func (u *unitLoop) lead(until time.Time) {
	if !until.After(u.state.LeadsUntil) {
		return
	}
	u.state.LeadsUntil = until
	if !u.state.Journal.Intent.Live.Leader {
		return
	}
	for _, svc := range u.state.Answer.Desired.Services {
		if !svc.Lease || !u.state.Observed.Services[svc.ID].Running {
			continue
		}
		id := u.serviceID(svc.ID)
		u.group.Go(func() error {
			ctx, cancel := context.WithDeadline(context.Background(), until)
			defer cancel()
			if _, err := u.agent.Supervisor.Renew(ctx, id, until); err != nil {
				u.log.Warn("cannot renew the lease of a service", slog.String("service", id), slog.Any("error", err))
			}
			return nil
		})
	}
}
