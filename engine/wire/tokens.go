package wire

import (
	"context"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Tokens is about what speaks for a user besides the certificate of a login.
type Tokens interface {
	CreateToken(ctx context.Context, r operator.CreateToken) (operator.CreatedToken, error)
	// ListTokens returns every token to an administrator, and else the caller's.
	ListTokens(ctx context.Context) ([]operator.Token, error)
	RevokeToken(ctx context.Context, id string, c operator.Change) (operator.Committed, error)
	// Logout ends the certificate that it is called with.
	Logout(ctx context.Context, c operator.Change) (operator.Committed, error)
}

// Certificates gives the caller another certificate for its own name. The old
// one goes on for a while, and so do its streams.
type Certificates interface {
	RenewUser(ctx context.Context, csr []byte) (operator.Credential, error)
	RenewAgent(ctx context.Context, csr []byte) (operator.Credential, error)
	RenewHost(ctx context.Context, csr []byte) (operator.Credential, error)
}

type tokensServer struct {
	pb.UnimplementedTokensServer
	api Tokens
}

// CreateToken implements pb.TokensServer.
func (s tokensServer) CreateToken(ctx context.Context, r *pb.CreateTokenRequest) (*pb.CreateTokenResponse, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	level, err := model.ParseAccessLevel(r.Access)
	if err != nil {
		return nil, err
	}
	created, err := s.api.CreateToken(ctx, operator.CreateToken{
		Change: changeOf(r.Change), Model: m, Access: level, Label: r.Label, Life: milliseconds(r.LifeMs), CSR: r.Csr,
	})
	if err != nil {
		return nil, err
	}
	b, err := encode(created.Token)
	return &pb.CreateTokenResponse{Token: b, Certificate: created.Certificate, Ca: created.CA}, err
}

// ListTokens implements pb.TokensServer.
func (s tokensServer) ListTokens(ctx context.Context, _ *pb.ListTokensRequest) (*pb.ListTokensResponse, error) {
	list, err := s.api.ListTokens(ctx)
	if err != nil {
		return nil, err
	}
	tokens, err := encodeAll(list)
	return &pb.ListTokensResponse{Tokens: tokens}, err
}

// RevokeToken implements pb.TokensServer.
func (s tokensServer) RevokeToken(ctx context.Context, r *pb.RevokeTokenRequest) (*pb.Committed, error) {
	return answerCommitted(s.api.RevokeToken(ctx, r.Id, changeOf(r.Change)))
}

// Logout implements pb.TokensServer.
func (s tokensServer) Logout(ctx context.Context, r *pb.LogoutRequest) (*pb.Committed, error) {
	return answerCommitted(s.api.Logout(ctx, changeOf(r.Change)))
}

type certificatesServer struct {
	pb.UnimplementedCertificatesServer
	api Certificates
}

// RenewUser implements pb.CertificatesServer.
func (s certificatesServer) RenewUser(ctx context.Context, r *pb.RenewRequest) (*pb.RenewResponse, error) {
	return answerRenewal(s.api.RenewUser(ctx, r.Csr))
}

// RenewAgent implements pb.CertificatesServer.
func (s certificatesServer) RenewAgent(ctx context.Context, r *pb.RenewRequest) (*pb.RenewResponse, error) {
	return answerRenewal(s.api.RenewAgent(ctx, r.Csr))
}

// RenewHost implements pb.CertificatesServer.
func (s certificatesServer) RenewHost(ctx context.Context, r *pb.RenewRequest) (*pb.RenewResponse, error) {
	return answerRenewal(s.api.RenewHost(ctx, r.Csr))
}

func answerRenewal(c operator.Credential, err error) (*pb.RenewResponse, error) {
	if err != nil {
		return nil, err
	}
	return &pb.RenewResponse{Certificate: c.Certificate, Ca: c.CA}, nil
}

type tokensClient struct{ pb pb.TokensClient }

// CreateToken implements Tokens.
func (c tokensClient) CreateToken(ctx context.Context, r operator.CreateToken) (operator.CreatedToken, error) {
	answer, err := c.pb.CreateToken(ctx, &pb.CreateTokenRequest{
		Model: string(r.Model), Access: string(r.Access), Label: r.Label, LifeMs: r.Life.Milliseconds(), Csr: r.CSR, Change: pbChange(r.Change),
	})
	if err != nil {
		return operator.CreatedToken{}, err
	}
	t, err := decode[operator.Token](answer.Token)
	return operator.CreatedToken{Token: t, Credential: operator.Credential{Certificate: answer.Certificate, CA: answer.Ca}}, err
}

// ListTokens implements Tokens.
func (c tokensClient) ListTokens(ctx context.Context) ([]operator.Token, error) {
	r, err := c.pb.ListTokens(ctx, &pb.ListTokensRequest{})
	if err != nil {
		return nil, err
	}
	return decodeAll[operator.Token](r.Tokens)
}

// RevokeToken implements Tokens.
func (c tokensClient) RevokeToken(ctx context.Context, id string, change operator.Change) (operator.Committed, error) {
	return readCommitted(c.pb.RevokeToken(ctx, &pb.RevokeTokenRequest{Id: id, Change: pbChange(change)}))
}

// Logout implements Tokens.
func (c tokensClient) Logout(ctx context.Context, change operator.Change) (operator.Committed, error) {
	return readCommitted(c.pb.Logout(ctx, &pb.LogoutRequest{Change: pbChange(change)}))
}

// NewCertificatesClient renews over a connection.
func NewCertificatesClient(conn grpc.ClientConnInterface) Certificates {
	return certificatesClient{pb.NewCertificatesClient(conn)}
}

type certificatesClient struct{ pb pb.CertificatesClient }

// RenewUser implements Certificates.
func (c certificatesClient) RenewUser(ctx context.Context, csr []byte) (operator.Credential, error) {
	return readRenewal(c.pb.RenewUser(ctx, &pb.RenewRequest{Csr: csr}))
}

// RenewAgent implements Certificates.
func (c certificatesClient) RenewAgent(ctx context.Context, csr []byte) (operator.Credential, error) {
	return readRenewal(c.pb.RenewAgent(ctx, &pb.RenewRequest{Csr: csr}))
}

// RenewHost implements Certificates.
func (c certificatesClient) RenewHost(ctx context.Context, csr []byte) (operator.Credential, error) {
	return readRenewal(c.pb.RenewHost(ctx, &pb.RenewRequest{Csr: csr}))
}

func readRenewal(r *pb.RenewResponse, err error) (operator.Credential, error) {
	return operator.Credential{Certificate: r.GetCertificate(), CA: r.GetCa()}, err
}
