package wire

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// pieceSize is how much of an archive one message carries.
const pieceSize = 64 << 10

// Charms is about operator programs.
type Charms interface {
	// ListCharms returns what can be deployed, by name.
	ListCharms(ctx context.Context) ([]operator.CharmSummary, error)
	// UploadCharm stores an archive for deployment in a model; its hash becomes
	// the charm's revision.
	UploadCharm(ctx context.Context, m model.ModelName, archive io.Reader) (operator.CharmSummary, error)
}

type charmsServer struct {
	pb.UnimplementedCharmsServer
	api Charms
}

func charmOf(c *pb.CharmSummary) operator.CharmSummary {
	return operator.CharmSummary{Name: model.CharmName(c.GetName()), Revision: c.GetRevision(), Summary: c.GetSummary(), BuiltIn: c.GetBuiltIn()}
}

func pbCharm(c operator.CharmSummary) *pb.CharmSummary {
	return &pb.CharmSummary{Name: string(c.Name), Revision: c.Revision, Summary: c.Summary, BuiltIn: c.BuiltIn}
}

// ListCharms implements pb.CharmsServer.
func (s charmsServer) ListCharms(ctx context.Context, _ *pb.ListCharmsRequest) (*pb.ListCharmsResponse, error) {
	list, err := s.api.ListCharms(ctx)
	if err != nil {
		return nil, err
	}
	out := &pb.ListCharmsResponse{}
	for _, c := range list {
		out.Charms = append(out.Charms, pbCharm(c))
	}
	return out, nil
}

// UploadCharm implements pb.CharmsServer.
func (s charmsServer) UploadCharm(stream grpc.ClientStreamingServer[pb.UploadCharmRequest, pb.UploadCharmResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	m, err := model.ParseModelName(first.Model)
	if err != nil {
		return err
	}
	archive := &pieces{rest: first.Data, next: func() ([]byte, error) {
		r, err := stream.Recv()
		return r.GetData(), err
	}}
	charm, err := s.api.UploadCharm(stream.Context(), m, archive)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&pb.UploadCharmResponse{Charm: pbCharm(charm)})
}

// pieces reads the messages of a stream as one text.
type pieces struct {
	rest []byte
	next func() ([]byte, error)
}

// Read implements io.Reader.
func (p *pieces) Read(b []byte) (int, error) {
	for len(p.rest) == 0 {
		data, err := p.next()
		if err != nil {
			return 0, err
		}
		p.rest = data
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

type charmsClient struct{ pb pb.CharmsClient }

// ListCharms implements Charms.
func (c charmsClient) ListCharms(ctx context.Context) ([]operator.CharmSummary, error) {
	r, err := c.pb.ListCharms(ctx, &pb.ListCharmsRequest{})
	if err != nil {
		return nil, err
	}
	list := make([]operator.CharmSummary, 0, len(r.Charms))
	for _, charm := range r.Charms {
		list = append(list, charmOf(charm))
	}
	return list, nil
}

// UploadCharm implements Charms.
func (c charmsClient) UploadCharm(ctx context.Context, m model.ModelName, archive io.Reader) (operator.CharmSummary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.pb.UploadCharm(ctx)
	if err != nil {
		return operator.CharmSummary{}, err
	}
	if err := stream.Send(&pb.UploadCharmRequest{Model: string(m)}); err != nil && !errors.Is(err, io.EOF) {
		return operator.CharmSummary{}, err
	}
	buffer := make([]byte, pieceSize)
	for {
		n, err := archive.Read(buffer)
		if n > 0 {
			// A refusal ends the stream early: CloseAndRecv below says why.
			if stream.Send(&pb.UploadCharmRequest{Data: buffer[:n]}) != nil {
				break
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return operator.CharmSummary{}, err
		}
	}
	r, err := stream.CloseAndRecv()
	return charmOf(r.GetCharm()), err
}
