package wire

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Backups is about archives of the control plane.
type Backups interface {
	// CreateBackup writes an archive.
	CreateBackup(ctx context.Context, r operator.CreateBackup, to io.Writer) (model.Backup, error)
	ListBackups(ctx context.Context) (operator.Backups, error)
	// ScheduleBackups replaces the schedule; one without Every ends it.
	ScheduleBackups(ctx context.Context, s model.BackupSchedule) error
	// DrillBackup tries an archive, or where there are no bytes the newest that
	// the controller keeps. What is wrong with the archive is the drill's Fault.
	DrillBackup(ctx context.Context, archive io.Reader) (model.Drill, error)
	SettleRestore(ctx context.Context) error
}

type backupsServer struct {
	pb.UnimplementedBackupsServer
	api Backups
}

// CreateBackup implements pb.BackupsServer.
func (s backupsServer) CreateBackup(r *pb.CreateBackupRequest, stream grpc.ServerStreamingServer[pb.CreateBackupResponse]) error {
	to := sender(func(b []byte) error { return stream.Send(&pb.CreateBackupResponse{Data: b}) })
	made, err := s.api.CreateBackup(stream.Context(), operator.CreateBackup{Passphrase: r.Passphrase, Recipients: r.Recipients}, to)
	if err != nil {
		return err
	}
	b, err := encode(made)
	if err != nil {
		return err
	}
	return stream.Send(&pb.CreateBackupResponse{Backup: b})
}

// sender sends what is written to it, in pieces that a message holds.
type sender func([]byte) error

// Write implements io.Writer.
func (w sender) Write(b []byte) (int, error) {
	for at := 0; at < len(b); at += pieceSize {
		if err := w(b[at:min(at+pieceSize, len(b))]); err != nil {
			return at, err
		}
	}
	return len(b), nil
}

// ListBackups implements pb.BackupsServer.
func (s backupsServer) ListBackups(ctx context.Context, _ *pb.ListBackupsRequest) (*pb.ListBackupsResponse, error) {
	list, err := s.api.ListBackups(ctx)
	if err != nil {
		return nil, err
	}
	b, err := encode(list)
	return &pb.ListBackupsResponse{Backups: b}, err
}

// ScheduleBackups implements pb.BackupsServer.
func (s backupsServer) ScheduleBackups(ctx context.Context, r *pb.ScheduleBackupsRequest) (*pb.ScheduleBackupsResponse, error) {
	schedule, err := decode[model.BackupSchedule](r.Schedule)
	if err != nil {
		return nil, err
	}
	return &pb.ScheduleBackupsResponse{}, s.api.ScheduleBackups(ctx, schedule)
}

// DrillBackup implements pb.BackupsServer.
func (s backupsServer) DrillBackup(stream grpc.ClientStreamingServer[pb.DrillBackupRequest, pb.DrillBackupResponse]) error {
	drill, err := s.api.DrillBackup(stream.Context(), &pieces{next: func() ([]byte, error) {
		r, err := stream.Recv()
		return r.GetData(), err
	}})
	if err != nil {
		return err
	}
	b, err := encode(drill)
	if err != nil {
		return err
	}
	return stream.SendAndClose(&pb.DrillBackupResponse{Drill: b})
}

// SettleRestore implements pb.BackupsServer.
func (s backupsServer) SettleRestore(ctx context.Context, _ *pb.SettleRestoreRequest) (*pb.SettleRestoreResponse, error) {
	return &pb.SettleRestoreResponse{}, s.api.SettleRestore(ctx)
}

type backupsClient struct{ pb pb.BackupsClient }

// CreateBackup implements Backups. An archive that ends early is an error.
func (c backupsClient) CreateBackup(ctx context.Context, r operator.CreateBackup, to io.Writer) (made model.Backup, err error) {
	whole := false
	err = receive(ctx, func(ctx context.Context) (grpc.ServerStreamingClient[pb.CreateBackupResponse], error) {
		return c.pb.CreateBackup(ctx, &pb.CreateBackupRequest{Passphrase: r.Passphrase, Recipients: r.Recipients})
	}, func(m *pb.CreateBackupResponse) (err error) {
		if len(m.Backup) > 0 {
			whole = true
			made, err = decode[model.Backup](m.Backup)
			return err
		}
		_, err = to.Write(m.Data)
		return err
	})
	if err == nil && !whole {
		err = fmt.Errorf("the archive ended early: back up again: %w", model.ErrUnavailable)
	}
	return made, err
}

// ListBackups implements Backups.
func (c backupsClient) ListBackups(ctx context.Context) (operator.Backups, error) {
	r, err := c.pb.ListBackups(ctx, &pb.ListBackupsRequest{})
	if err != nil {
		return operator.Backups{}, err
	}
	return decode[operator.Backups](r.Backups)
}

// ScheduleBackups implements Backups.
func (c backupsClient) ScheduleBackups(ctx context.Context, schedule model.BackupSchedule) error {
	b, err := encode(schedule)
	if err != nil {
		return err
	}
	_, err = c.pb.ScheduleBackups(ctx, &pb.ScheduleBackupsRequest{Schedule: b})
	return err
}

// DrillBackup implements Backups.
func (c backupsClient) DrillBackup(ctx context.Context, archive io.Reader) (model.Drill, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.pb.DrillBackup(ctx)
	if err != nil {
		return model.Drill{}, err
	}
	sent := sender(func(b []byte) error { return stream.Send(&pb.DrillBackupRequest{Data: b}) })
	// A refusal ends the stream early: CloseAndRecv says why.
	if _, err := io.Copy(sent, archive); err != nil && !errors.Is(err, io.EOF) {
		return model.Drill{}, err
	}
	r, err := stream.CloseAndRecv()
	if err != nil {
		return model.Drill{}, err
	}
	return decode[model.Drill](r.Drill)
}

// SettleRestore implements Backups.
func (c backupsClient) SettleRestore(ctx context.Context) error {
	_, err := c.pb.SettleRestore(ctx, &pb.SettleRestoreRequest{})
	return err
}
