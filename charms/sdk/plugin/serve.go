package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/charms/sdk/plugin/internal/charmpb"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// maxMessage bounds an Input and a Desired, in bytes.
const maxMessage = 64 << 20

// Asked reports whether the environment asks this process to serve.
func Asked() bool { return os.Getenv(Cookie) == cookieValue }

// Serve answers for a charm until the agent that started the process closes
// it or is gone, which the end of standard input tells.
func Serve(r Reconciler) {
	go exitAtEOF(os.Stdin)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake(),
		Plugins:         goplugin.PluginSet{pluginName: &endpoint{charm: r}},
		Logger:          hclog.NewNullLogger(),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))...)
		},
	})
}

// exitAtEOF ends the process with its agent, though the agent was killed. It
// lives as long as the process does.
func exitAtEOF(stdin io.Reader) {
	_, _ = io.Copy(io.Discard, stdin)
	os.Exit(0)
}

// endpoint adapts both ends to go-plugin.
type endpoint struct {
	goplugin.NetRPCUnsupportedPlugin
	charm Reconciler // nil at the agent's end
}

// GRPCServer implements goplugin.GRPCPlugin.
func (e *endpoint) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	charmpb.RegisterCharmServer(s, newServer(e.charm))
	return nil
}

// GRPCClient implements goplugin.GRPCPlugin.
func (e *endpoint) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return charmpb.NewCharmClient(conn), nil
}

type server struct {
	charmpb.UnimplementedCharmServer
	charm Reconciler
	kept  kept
}

func newServer(charm Reconciler) *server {
	return &server{charm: charm, kept: kept{units: map[uint64]effect.Remote{}}}
}

// Reconcile implements charmpb.CharmServer.
func (s *server) Reconcile(_ context.Context, req *charmpb.ReconcileRequest) (res *charmpb.ReconcileResponse, err error) {
	in, known, err := s.kept.input(req)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "decode the input: %v", err)
	}
	if !known {
		return &charmpb.ReconcileResponse{Keeps: true, Unknown: true}, nil
	}
	want, panicked := Guard(s.charm, in)
	if panicked != "" {
		return &charmpb.ReconcileResponse{Panic: panicked, Keeps: true}, nil
	}
	b, err := json.Marshal(want)
	if err != nil {
		return nil, status.Error(codes.Internal, fmt.Sprintf("encode what is desired: %v", err))
	}
	return &charmpb.ReconcileResponse{Desired: b, Keeps: true}, nil
}

// Guard asks a charm and catches its panic, which it describes.
func Guard(r Reconciler, in effect.Input) (want effect.Desired, panicked string) {
	defer func() {
		if v := recover(); v != nil {
			want, panicked = effect.Desired{}, Panicked(v, false)
		}
	}()
	return r.Reconcile(in), ""
}
