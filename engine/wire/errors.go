package wire

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/model"
)

// classCodes is the one place that says how an error class travels.
var classCodes = []struct {
	class error
	code  codes.Code
}{
	{model.ErrNotFound, codes.NotFound},
	{model.ErrConflict, codes.Aborted},
	{model.ErrInvalid, codes.InvalidArgument},
	{model.ErrDenied, codes.PermissionDenied},
	{model.ErrFrozen, codes.FailedPrecondition},
	{model.ErrUnavailable, codes.Unavailable},
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

// Status is err as gRPC carries it. An error without a class is a fault of
// the controller.
func Status(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	for _, c := range classCodes {
		if errors.Is(err, c.class) {
			return status.Error(c.code, err.Error())
		}
	}
	return status.Error(codes.Internal, err.Error())
}

// Error is what Status carried, with its class for errors.Is. A peer that
// cannot be reached, or that refused the handshake, is model.ErrUnavailable.
func Error(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	for _, c := range classCodes {
		if s.Code() == c.code {
			return &remoteError{text: s.Message(), class: c.class}
		}
	}
	return &remoteError{text: s.Message(), class: errors.New(s.Code().String())}
}

// remoteError is an error of the other side: its text names its class already.
type remoteError struct {
	text  string
	class error
}

// Error is the text as the other side wrote it.
func (e *remoteError) Error() string { return e.text }

// Unwrap is the class.
func (e *remoteError) Unwrap() error { return e.class }
