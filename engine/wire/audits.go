package wire

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Audits is about the record of every request.
type Audits interface {
	// ListAudit sends the records that a query selects, oldest first.
	ListAudit(ctx context.Context, q operator.AuditQuery, send func([]operator.AuditRecord) error) error
	// VerifyAudit reads the whole record and says whether it is whole.
	VerifyAudit(ctx context.Context) (operator.AuditVerdict, error)
}

type auditsServer struct {
	pb.UnimplementedAuditsServer
	api Audits
}

// ListAudit implements pb.AuditsServer.
func (s auditsServer) ListAudit(r *pb.ListAuditRequest, stream grpc.ServerStreamingServer[pb.ListAuditResponse]) error {
	q := operator.AuditQuery{Last: int(r.Last), Denied: r.Denied}
	if r.SinceUnixMs != 0 {
		q.Since = time.UnixMilli(r.SinceUnixMs)
	}
	return s.api.ListAudit(stream.Context(), q, func(list []operator.AuditRecord) error {
		records, err := encodeAll(list)
		if err != nil {
			return err
		}
		return stream.Send(&pb.ListAuditResponse{Records: records})
	})
}

// VerifyAudit implements pb.AuditsServer.
func (s auditsServer) VerifyAudit(ctx context.Context, _ *pb.VerifyAuditRequest) (*pb.VerifyAuditResponse, error) {
	verdict, err := s.api.VerifyAudit(ctx)
	if err != nil {
		return nil, err
	}
	b, err := encode(verdict)
	return &pb.VerifyAuditResponse{Verdict: b}, err
}

type auditsClient struct{ pb pb.AuditsClient }

// ListAudit implements Audits.
func (c auditsClient) ListAudit(ctx context.Context, q operator.AuditQuery, send func([]operator.AuditRecord) error) error {
	request := &pb.ListAuditRequest{Last: uint32(q.Last), Denied: q.Denied}
	if !q.Since.IsZero() {
		request.SinceUnixMs = q.Since.UnixMilli()
	}
	return receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.ListAuditResponse], error) {
		return c.pb.ListAudit(ctx, request)
	}, func(r *pb.ListAuditResponse) error {
		records, err := decodeAll[operator.AuditRecord](r.Records)
		if err != nil {
			return err
		}
		return send(records)
	})
}

// VerifyAudit implements Audits.
func (c auditsClient) VerifyAudit(ctx context.Context) (operator.AuditVerdict, error) {
	r, err := c.pb.VerifyAudit(ctx, &pb.VerifyAuditRequest{})
	if err != nil {
		return operator.AuditVerdict{}, err
	}
	return decode[operator.AuditVerdict](r.Verdict)
}
