package operate

import (
	"context"
	"fmt"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
)

// Consensus is who takes part in the members' agreement, as the member at an
// address sees it.
type Consensus interface {
	// Lists reports whether an address takes part. Where the member cannot
	// know, for want of a quorum, that is an error.
	Lists(ctx context.Context, address string) (bool, error)
	// Remove takes an address out; one that is out already is a success.
	Remove(ctx context.Context, address string) error
}

// Listing is Patroni's list of members, which it keeps in a consensus elsewhere.
// A member's entry there ends with its lease, after it has stopped.
type Listing struct{ Patroni }

// Lists implements Consensus.
func (l Listing) Lists(ctx context.Context, address string) (bool, error) {
	members, err := l.Cluster(ctx)
	if err != nil {
		return false, err
	}
	if len(members) == 0 {
		return false, fmt.Errorf("%s lists no members: %w", l.Address, model.ErrUnavailable)
	}
	return slices.ContainsFunc(members, func(m Member) bool { return m.Host == address }), nil
}

// Remove implements Consensus by waiting.
func (l Listing) Remove(ctx context.Context, address string) error {
	return until(ctx, address+" is not listed any more", func(ctx context.Context) (bool, error) {
		listed, err := l.Lists(ctx, address)
		return err == nil && !listed, err
	})
}
