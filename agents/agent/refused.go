package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// refusedInterval is how often it is tried again to begin a unit whose journal
// could not be read or made.
const refusedInterval = 10 * time.Second

// take begins a unit that has no loop yet: from its journal, where there is one
// that could not be read before, else anew. Where that fails the unit is
// reported as blocked; what runs of it is left alone, and other units go on.
func (a *agent) take(in effect.Intent) {
	u, err := a.openOrMake(in)
	a.mu.Lock()
	if err == nil {
		delete(a.refused, in.Spec.Unit)
	} else {
		a.refused[in.Spec.Unit] = in
	}
	a.mu.Unlock()
	if err != nil {
		a.Logger.Error("cannot take an intent", slog.Any("unit", in.Spec.Unit), slog.Any("error", err))
		_ = a.link.send(effect.Upward{Reports: []effect.Report{blocked(in, err)}}) // said again with the next try
		return
	}
	a.begin(u)
	u.post(func() { u.setIntent(in, false) })
}

func (a *agent) openOrMake(in effect.Intent) (u *unitLoop, err error) {
	path := a.Dirs.journal(in.Spec.Unit)
	if _, err = os.Stat(path); err == nil {
		u, err = openUnit(a, path)
	}
	if err == nil && u == nil || errors.Is(err, fs.ErrNotExist) {
		return makeUnit(a, in)
	}
	return u, err
}

func blocked(in effect.Intent, err error) effect.Report {
	return effect.Report{
		Unit: in.Spec.Unit, Generation: in.Generation, Hash: in.Hash, Serial: in.Live.Serial,
		Status: model.Status{Level: model.Blocked, Message: fmt.Sprintf("its agent cannot go on with it, and leaves it as it is: %v", err)},
	}
}

// retryRefused tries again until ctx ends.
func (a *agent) retryRefused(ctx context.Context) error {
	for {
		if err := pause(ctx, refusedInterval); err != nil {
			return err
		}
		a.mu.Lock()
		refused := maps.Clone(a.refused)
		a.mu.Unlock()
		for _, name := range slices.SortedFunc(maps.Keys(refused), model.CompareUnits) {
			a.take(refused[name])
		}
	}
}
