package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/metadata"

	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
)

func TestAnInternalErrorNamesTheRequestToItsCallerAndInTheLog(t *testing.T) {
	var log bytes.Buffer
	g := &guard{Config: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	ctx := named(metadata.NewIncomingContext(t.Context(), metadata.Pairs(wire.HeaderRequest, "abc123")))
	if err := g.fail(ctx, "/x", errors.New("broken")); !strings.Contains(err.Error(), "broken (request abc123 in the log of the controller)") {
		t.Errorf("the caller is told %v", err)
	}
	if !strings.Contains(log.String(), "request=abc123") || !strings.Contains(log.String(), "broken") {
		t.Errorf("the log has %s", log.String())
	}
	log.Reset()
	if err := g.fail(ctx, "/x", model.ErrNotFound); strings.Contains(err.Error(), "abc123") || log.Len() > 0 {
		t.Errorf("what is no fault of ours: %v, logged %s", err, log.String())
	}
}

func TestARequestHasANameWhateverItsCallerSent(t *testing.T) {
	for _, sent := range []string{"", "two words", "new\nline", strings.Repeat("x", 65), "ümlaut"} {
		ctx := context.Background()
		if sent != "" {
			ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(wire.HeaderRequest, sent))
		}
		if id := requestID(named(ctx)); len(id) != 12 || id == sent {
			t.Errorf("sent %q, it is named %q", sent, id)
		}
	}
}
