package wire

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// AgentClient is the agent's end. It implements Agents and Artifacts.
type AgentClient struct {
	agent     pb.AgentClient
	artifacts pb.ArtifactsClient
}

// NewAgentClient speaks for an agent over a connection.
func NewAgentClient(conn grpc.ClientConnInterface) *AgentClient {
	return &AgentClient{agent: pb.NewAgentClient(conn), artifacts: pb.NewArtifactsClient(conn)}
}

// Session is an agent's end of its session. Send and Recv may be called at the
// same time, each by one caller; the end of the context given to Open ends it.
type Session struct {
	stream grpc.BidiStreamingClient[pb.Upward, pb.Downward]
}

// Open opens the session; the first message sent must be a Hello.
func (c *AgentClient) Open(ctx context.Context) (*Session, error) {
	stream, err := c.agent.Session(ctx)
	if err != nil {
		return nil, err
	}
	return &Session{stream}, nil
}

// Send sends one message upward.
func (s *Session) Send(m effect.Upward) error {
	b, err := encode(m)
	if err != nil {
		return err
	}
	return s.stream.Send(&pb.Upward{Message: b})
}

// Recv waits for the next message.
func (s *Session) Recv() (effect.Downward, error) {
	m, err := s.stream.Recv()
	if err != nil {
		return effect.Downward{}, err
	}
	return decode[effect.Downward](m.Message)
}

// Publish implements Agents.
func (c *AgentClient) Publish(ctx context.Context, p effect.Publication) (uint64, error) {
	b, err := encode(p)
	if err != nil {
		return 0, err
	}
	r, err := c.agent.Publish(ctx, &pb.PublishRequest{Publication: b})
	return r.GetIndex(), err
}

// PutSecret implements Agents.
func (c *AgentClient) PutSecret(ctx context.Context, s effect.NewSecret) (string, error) {
	b, err := encode(s)
	if err != nil {
		return "", err
	}
	r, err := c.agent.PutSecret(ctx, &pb.PutSecretRequest{Secret: b})
	return r.GetId(), err
}

// ReadSecrets implements Agents.
func (c *AgentClient) ReadSecrets(ctx context.Context, u model.UnitName, refs []effect.SecretAt) ([]effect.OpenSecret, error) {
	request := &pb.ReadSecretsRequest{Unit: u.String()}
	for _, ref := range refs {
		request.Secrets = append(request.Secrets, &pb.SecretAt{Id: ref.ID, Revision: uint32(ref.Revision)})
	}
	r, err := c.agent.ReadSecrets(ctx, request)
	if err != nil {
		return nil, err
	}
	opened := make([]effect.OpenSecret, 0, len(r.Secrets))
	for _, s := range r.Secrets {
		opened = append(opened, effect.OpenSecret{SecretAt: effect.SecretAt{ID: s.Id, Revision: int(s.Revision)}, Fields: s.Fields})
	}
	return opened, nil
}

// OpenClaim implements Agents.
func (c *AgentClient) OpenClaim(ctx context.Context, claim effect.Claim) (uint64, error) {
	b, err := encode(claim)
	if err != nil {
		return 0, err
	}
	r, err := c.agent.OpenClaim(ctx, &pb.OpenClaimRequest{Claim: b})
	return r.GetToken(), err
}

// CloseClaim implements Agents.
func (c *AgentClient) CloseClaim(ctx context.Context, result effect.ClaimResult) error {
	b, err := encode(result)
	if err != nil {
		return err
	}
	_, err = c.agent.CloseClaim(ctx, &pb.CloseClaimRequest{Result: b})
	return err
}

// FinishOperation implements Agents.
func (c *AgentClient) FinishOperation(ctx context.Context, result effect.OperationResult) error {
	b, err := encode(result)
	if err != nil {
		return err
	}
	_, err = c.agent.FinishOperation(ctx, &pb.FinishOperationRequest{Result: b})
	return err
}

// SignCharm implements Artifacts.
func (c *AgentClient) SignCharm(ctx context.Context, revision string) ([]byte, error) {
	r, err := c.artifacts.SignCharm(ctx, &pb.SignCharmRequest{Revision: revision})
	return r.GetSignature(), err
}

// FetchCharm implements Artifacts.
func (c *AgentClient) FetchCharm(ctx context.Context, revision string, to io.Writer) error {
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.FetchCharmResponse], error) {
		return c.artifacts.FetchCharm(ctx, &pb.FetchCharmRequest{Revision: revision})
	}, func(r *pb.FetchCharmResponse) error {
		_, err := to.Write(r.Data)
		return err
	})
}
