package wire

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Agents is what the agent of a machine asks for the units on it. A unit of
// another machine is refused with model.ErrDenied.
type Agents interface {
	// Publish commits bags and records; the answer is their index.
	Publish(ctx context.Context, p effect.Publication) (index uint64, err error)
	// PutSecret keeps a secret sealed. Where the owner has one of that name
	// already, the answer is its id and nothing is changed.
	PutSecret(ctx context.Context, s effect.NewSecret) (id string, err error)
	// ReadSecrets opens secrets that the unit owns or was granted.
	ReadSecrets(ctx context.Context, u model.UnitName, refs []effect.SecretAt) ([]effect.OpenSecret, error)
	// OpenClaim reserves an application task for the leader; the answer is the
	// claim's token.
	OpenClaim(ctx context.Context, c effect.Claim) (token uint64, err error)
	CloseClaim(ctx context.Context, r effect.ClaimResult) error
	FinishOperation(ctx context.Context, r effect.OperationResult) error
}

// Sessions is the controller's end of agents' sessions.
type Sessions interface {
	// Session serves one agent until its stream or ctx ends.
	Session(ctx context.Context, stream AgentStream) error
}

// AgentStream is a session as the controller sees it. Send and Recv may be
// called at the same time, each by one caller.
type AgentStream interface {
	Recv() (effect.Upward, error)
	Send(effect.Downward) error
}

// Artifacts hands out the charms that a machine's units are made with.
type Artifacts interface {
	FetchCharm(ctx context.Context, revision string, to io.Writer) error
	// SignCharm vouches for such an archive: the answer is an encoded
	// CharmSignature.
	SignCharm(ctx context.Context, revision string) ([]byte, error)
}

type agentServer struct {
	pb.UnimplementedAgentServer
	api      Agents
	sessions Sessions
}

// Session implements pb.AgentServer.
func (s agentServer) Session(stream grpc.BidiStreamingServer[pb.Upward, pb.Downward]) error {
	return s.sessions.Session(stream.Context(), agentStream{stream})
}

type agentStream struct {
	pb grpc.BidiStreamingServer[pb.Upward, pb.Downward]
}

// Recv implements AgentStream.
func (s agentStream) Recv() (effect.Upward, error) {
	m, err := s.pb.Recv()
	if err != nil {
		return effect.Upward{}, err
	}
	return decode[effect.Upward](m.Message)
}

// Send implements AgentStream.
func (s agentStream) Send(m effect.Downward) error {
	b, err := encode(m)
	if err != nil {
		return err
	}
	return s.pb.Send(&pb.Downward{Message: b})
}

// Publish implements pb.AgentServer.
func (s agentServer) Publish(ctx context.Context, r *pb.PublishRequest) (*pb.PublishResponse, error) {
	p, err := decode[effect.Publication](r.Publication)
	if err != nil {
		return nil, err
	}
	index, err := s.api.Publish(ctx, p)
	return &pb.PublishResponse{Index: index}, err
}

// PutSecret implements pb.AgentServer.
func (s agentServer) PutSecret(ctx context.Context, r *pb.PutSecretRequest) (*pb.PutSecretResponse, error) {
	secret, err := decode[effect.NewSecret](r.Secret)
	if err != nil {
		return nil, err
	}
	id, err := s.api.PutSecret(ctx, secret)
	return &pb.PutSecretResponse{Id: id}, err
}

// ReadSecrets implements pb.AgentServer.
func (s agentServer) ReadSecrets(ctx context.Context, r *pb.ReadSecretsRequest) (*pb.ReadSecretsResponse, error) {
	u, err := model.ParseUnitName(r.Unit)
	if err != nil {
		return nil, err
	}
	refs := make([]effect.SecretAt, 0, len(r.Secrets))
	for _, ref := range r.Secrets {
		refs = append(refs, effect.SecretAt{ID: ref.Id, Revision: int(ref.Revision)})
	}
	opened, err := s.api.ReadSecrets(ctx, u, refs)
	if err != nil {
		return nil, err
	}
	out := &pb.ReadSecretsResponse{}
	for _, secret := range opened {
		out.Secrets = append(out.Secrets, &pb.OpenSecret{Id: secret.ID, Revision: uint32(secret.Revision), Fields: secret.Fields})
	}
	return out, nil
}

// OpenClaim implements pb.AgentServer.
func (s agentServer) OpenClaim(ctx context.Context, r *pb.OpenClaimRequest) (*pb.OpenClaimResponse, error) {
	claim, err := decode[effect.Claim](r.Claim)
	if err != nil {
		return nil, err
	}
	token, err := s.api.OpenClaim(ctx, claim)
	return &pb.OpenClaimResponse{Token: token}, err
}

// CloseClaim implements pb.AgentServer.
func (s agentServer) CloseClaim(ctx context.Context, r *pb.CloseClaimRequest) (*pb.CloseClaimResponse, error) {
	result, err := decode[effect.ClaimResult](r.Result)
	if err != nil {
		return nil, err
	}
	return &pb.CloseClaimResponse{}, s.api.CloseClaim(ctx, result)
}

// FinishOperation implements pb.AgentServer.
func (s agentServer) FinishOperation(ctx context.Context, r *pb.FinishOperationRequest) (*pb.FinishOperationResponse, error) {
	result, err := decode[effect.OperationResult](r.Result)
	if err != nil {
		return nil, err
	}
	return &pb.FinishOperationResponse{}, s.api.FinishOperation(ctx, result)
}

type artifactsServer struct {
	pb.UnimplementedArtifactsServer
	api Artifacts
}

// SignCharm implements pb.ArtifactsServer.
func (s artifactsServer) SignCharm(ctx context.Context, r *pb.SignCharmRequest) (*pb.SignCharmResponse, error) {
	signature, err := s.api.SignCharm(ctx, r.Revision)
	if err != nil {
		return nil, err
	}
	return &pb.SignCharmResponse{Signature: signature}, nil
}

// FetchCharm implements pb.ArtifactsServer.
func (s artifactsServer) FetchCharm(r *pb.FetchCharmRequest, stream grpc.ServerStreamingServer[pb.FetchCharmResponse]) error {
	return s.api.FetchCharm(stream.Context(), r.Revision, pieceWriter{stream})
}

// pieceWriter sends what is written to it in messages of pieceSize.
type pieceWriter struct {
	pb grpc.ServerStreamingServer[pb.FetchCharmResponse]
}

// Write implements io.Writer.
func (w pieceWriter) Write(b []byte) (int, error) {
	for sent := 0; sent < len(b); {
		end := min(sent+pieceSize, len(b))
		if err := w.pb.Send(&pb.FetchCharmResponse{Data: b[sent:end]}); err != nil {
			return sent, err
		}
		sent = end
	}
	return len(b), nil
}
