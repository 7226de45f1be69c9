package wire

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Members is about the controllers.
type Members interface {
	ListMembers(ctx context.Context) ([]operator.Controller, error)
	// TransferLeadership hands leadership to a member, or to the best where
	// none is named.
	TransferLeadership(ctx context.Context, to string) error
	// RemoveMember ends the membership of one that does not come back.
	RemoveMember(ctx context.Context, id string) error
}

// Membership is what a machine that carries a controller asks for it.
type Membership interface {
	Join(ctx context.Context, self operator.ControllerSelf) (operator.ControllerKeys, error)
	// Leave returns once the controller takes part no more.
	Leave(ctx context.Context, id string) error
}

// Peers is what controllers ask of each other.
type Peers interface {
	Announce(ctx context.Context, self operator.ControllerSelf) error
	Archives(ctx context.Context) ([]operator.CharmArchive, error)
	Archive(ctx context.Context, hash string, to io.Writer) error
}

type membersServer struct {
	pb.UnimplementedMembersServer
	api Members
}

// ListMembers implements pb.MembersServer.
func (s membersServer) ListMembers(ctx context.Context, _ *pb.ListMembersRequest) (*pb.ListMembersResponse, error) {
	list, err := s.api.ListMembers(ctx)
	if err != nil {
		return nil, err
	}
	out := &pb.ListMembersResponse{}
	for _, m := range list {
		b, err := encode(m)
		if err != nil {
			return nil, err
		}
		out.Members = append(out.Members, b)
	}
	return out, nil
}

// TransferLeadership implements pb.MembersServer.
func (s membersServer) TransferLeadership(ctx context.Context, r *pb.TransferLeadershipRequest) (*pb.TransferLeadershipResponse, error) {
	return &pb.TransferLeadershipResponse{}, s.api.TransferLeadership(ctx, r.To)
}

// RemoveMember implements pb.MembersServer.
func (s membersServer) RemoveMember(ctx context.Context, r *pb.RemoveMemberRequest) (*pb.RemoveMemberResponse, error) {
	return &pb.RemoveMemberResponse{}, s.api.RemoveMember(ctx, r.Id)
}

type membershipServer struct {
	pb.UnimplementedMembershipServer
	api Membership
}

// Join implements pb.MembershipServer.
func (s membershipServer) Join(ctx context.Context, r *pb.JoinMembersRequest) (*pb.JoinMembersResponse, error) {
	keys, err := s.api.Join(ctx, selfOf(r.Self))
	if err != nil {
		return nil, err
	}
	out := &pb.JoinMembersResponse{
		Ca: keys.CA, CaKey: keys.CAKey, SecretsKey: keys.SecretsKey, Provider: keys.Provider,
	}
	for _, m := range keys.Members {
		out.Members = append(out.Members, pbSelf(m))
	}
	return out, nil
}

// Leave implements pb.MembershipServer.
func (s membershipServer) Leave(ctx context.Context, r *pb.LeaveMembersRequest) (*pb.LeaveMembersResponse, error) {
	return &pb.LeaveMembersResponse{}, s.api.Leave(ctx, r.Id)
}

type peersServer struct {
	pb.UnimplementedPeersServer
	api Peers
}

// Announce implements pb.PeersServer.
func (s peersServer) Announce(ctx context.Context, r *pb.AnnounceRequest) (*pb.AnnounceResponse, error) {
	return &pb.AnnounceResponse{}, s.api.Announce(ctx, selfOf(r.Self))
}

// Archives implements pb.PeersServer.
func (s peersServer) Archives(ctx context.Context, _ *pb.ArchivesRequest) (*pb.ArchivesResponse, error) {
	list, err := s.api.Archives(ctx)
	if err != nil {
		return nil, err
	}
	out := &pb.ArchivesResponse{}
	for _, a := range list {
		out.Archives = append(out.Archives, &pb.ArchiveEntry{Hash: a.Hash, UploadedUnixNano: a.Uploaded.UnixNano()})
	}
	return out, nil
}

// Archive implements pb.PeersServer.
func (s peersServer) Archive(r *pb.ArchiveRequest, stream grpc.ServerStreamingServer[pb.ArchiveResponse]) error {
	return s.api.Archive(stream.Context(), r.Hash, archiveWriter{stream})
}

// archiveWriter sends what is written to it, in pieces that a message holds.
type archiveWriter struct {
	stream grpc.ServerStreamingServer[pb.ArchiveResponse]
}

// Write implements io.Writer.
func (w archiveWriter) Write(b []byte) (int, error) {
	const most = 1 << 20
	for at := 0; at < len(b); at += most {
		if err := w.stream.Send(&pb.ArchiveResponse{Data: b[at:min(at+most, len(b))]}); err != nil {
			return at, err
		}
	}
	return len(b), nil
}

func selfOf(m *pb.MemberSelf) operator.ControllerSelf {
	return operator.ControllerSelf{ID: m.GetId(), Address: m.GetAddress(), Version: m.GetVersion(), Level: int(m.GetLevel())}
}

func pbSelf(m operator.ControllerSelf) *pb.MemberSelf {
	return &pb.MemberSelf{Id: m.ID, Address: m.Address, Version: m.Version, Level: uint32(m.Level)}
}

type membersClient struct{ pb pb.MembersClient }

// ListMembers implements Members.
func (c membersClient) ListMembers(ctx context.Context) ([]operator.Controller, error) {
	r, err := c.pb.ListMembers(ctx, &pb.ListMembersRequest{})
	if err != nil {
		return nil, err
	}
	list := make([]operator.Controller, 0, len(r.Members))
	for _, b := range r.Members {
		m, err := decode[operator.Controller](b)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// TransferLeadership implements Members.
func (c membersClient) TransferLeadership(ctx context.Context, to string) error {
	_, err := c.pb.TransferLeadership(ctx, &pb.TransferLeadershipRequest{To: to})
	return err
}

// RemoveMember implements Members.
func (c membersClient) RemoveMember(ctx context.Context, id string) error {
	_, err := c.pb.RemoveMember(ctx, &pb.RemoveMemberRequest{Id: id})
	return err
}

// MembershipClient is the end of a machine that carries a controller. It
// implements Membership.
type MembershipClient struct{ pb pb.MembershipClient }

// NewMembershipClient speaks for a machine over a connection.
func NewMembershipClient(conn grpc.ClientConnInterface) *MembershipClient {
	return &MembershipClient{pb.NewMembershipClient(conn)}
}

// Join implements Membership.
func (c *MembershipClient) Join(ctx context.Context, self operator.ControllerSelf) (operator.ControllerKeys, error) {
	r, err := c.pb.Join(ctx, &pb.JoinMembersRequest{Self: pbSelf(self)})
	if err != nil {
		return operator.ControllerKeys{}, err
	}
	keys := operator.ControllerKeys{CA: r.Ca, CAKey: r.CaKey, SecretsKey: r.SecretsKey, Provider: r.Provider}
	for _, m := range r.Members {
		keys.Members = append(keys.Members, selfOf(m))
	}
	return keys, nil
}

// Leave implements Membership.
func (c *MembershipClient) Leave(ctx context.Context, id string) error {
	_, err := c.pb.Leave(ctx, &pb.LeaveMembersRequest{Id: id})
	return err
}

// PeersClient is a controller's end towards another. It implements Peers.
type PeersClient struct{ pb pb.PeersClient }

// NewPeersClient speaks for a controller over a connection.
func NewPeersClient(conn grpc.ClientConnInterface) *PeersClient {
	return &PeersClient{pb.NewPeersClient(conn)}
}

// Announce implements Peers.
func (c *PeersClient) Announce(ctx context.Context, self operator.ControllerSelf) error {
	_, err := c.pb.Announce(ctx, &pb.AnnounceRequest{Self: pbSelf(self)})
	return err
}

// Archives implements Peers.
func (c *PeersClient) Archives(ctx context.Context) ([]operator.CharmArchive, error) {
	r, err := c.pb.Archives(ctx, &pb.ArchivesRequest{})
	if err != nil {
		return nil, err
	}
	list := make([]operator.CharmArchive, 0, len(r.Archives))
	for _, a := range r.Archives {
		list = append(list, operator.CharmArchive{Hash: a.Hash, Uploaded: time.Unix(0, a.UploadedUnixNano)})
	}
	return list, nil
}

// Archive implements Peers.
func (c *PeersClient) Archive(ctx context.Context, hash string, to io.Writer) error {
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.ArchiveResponse], error) {
		return c.pb.Archive(ctx, &pb.ArchiveRequest{Hash: hash})
	}, func(r *pb.ArchiveResponse) error {
		_, err := to.Write(r.Data)
		return err
	})
}
