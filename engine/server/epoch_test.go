package server

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

func TestAControllerThatARestoreSupersededRefusesWhoHasHeardOfIt(t *testing.T) {
	first, a, b, later := model.Epoch{}, model.Epoch{Number: 5, ID: "a"}, model.Epoch{Number: 5, ID: "b"}, model.Epoch{Number: 6, ID: "c"}
	for rule, test := range map[string]struct {
		own, known model.Epoch
		refused    bool
	}{
		"of the first life, to one who knows no other":        {first, first, false},
		"restored, to one who knows the first life":           {a, first, false},
		"restored, to one who knows it":                       {a, a, false},
		"restored again, to one who knows the former restore": {later, a, false},
		"of the first life, to one who knows a restore":       {first, a, true},
		"restored, to one who knows a later restore":          {a, later, true},
		"restored, to one who knows another restore":          {a, b, true},
	} {
		ctx := context.Background()
		if !test.known.IsZero() {
			ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(wire.HeaderEpoch, test.known.String()))
		}
		if err := superseded(ctx, test.own); (err != nil) != test.refused || err != nil && !errors.Is(err, errNotLeading) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	nonsense := metadata.NewIncomingContext(context.Background(), metadata.Pairs(wire.HeaderEpoch, "nonsense"))
	if err := superseded(nonsense, a); !errors.Is(err, model.ErrInvalid) {
		t.Errorf("an epoch that is none: %v", err)
	}
}
