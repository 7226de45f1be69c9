package client

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/gantry-orchestrator/gantry/engine/wire"
)

// Invoke implements grpc.ClientConnInterface: it asks who leads, wherever that
// moves meanwhile. A request is sent again only where its first sending cannot
// have been carried out, or where that does no harm.
func (r *route) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	again := wire.Repeatable(method, args)
	for s := newSearch(); ; {
		address, conn, err := r.find(ctx, s)
		if err != nil {
			return s.failed(ctx, err)
		}
		v := r.ask(ctx, address, conn, method, args, reply, again, opts)
		if v.err == nil || !s.again(ctx, address, v, again) {
			return wire.Error(v.err)
		}
	}
}

// find returns the next controller that a search is to try.
func (r *route) find(ctx context.Context, s *search) (string, *grpc.ClientConn, error) {
	candidates := r.candidates(s.vain)
	if len(candidates) == 0 {
		clear(s.vain)
		candidates = r.candidates(nil)
	}
	return r.open(ctx, candidates)
}

// ask sends a request to one controller. One that may be sent again is given
// up where there is no answer and another has come to lead.
func (r *route) ask(ctx context.Context, address string, conn *grpc.ClientConn, method string, args, reply any, again bool, opts []grpc.CallOption) verdict {
	into, ok := reply.(proto.Message)
	if !ok || !again {
		var header, trailer metadata.MD
		err := conn.Invoke(ctx, method, args, reply, append(opts, grpc.Header(&header), grpc.Trailer(&trailer))...)
		return r.judge(address, header, trailer, err)
	}
	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	received := into.ProtoReflect().New().Interface()
	verdicts := make(chan verdict, 1)
	doubts := make(chan verdict, 1)
	group.Go(func() {
		var header, trailer metadata.MD
		err := conn.Invoke(ctx, method, args, received, append(opts, grpc.Header(&header), grpc.Trailer(&trailer))...)
		verdicts <- r.judge(address, header, trailer, err)
	})
	tick := time.NewTimer(doubt)
	defer tick.Stop()
	pause := doubt / 4 // an election may end at any moment; who is only slow is left in peace
	for {
		select {
		case v := <-verdicts:
			if v.err == nil {
				proto.Merge(into, received)
			}
			return v
		case <-tick.C:
			group.Go(func() { doubts <- r.elsewhere(ctx, address, method, args, received) })
		case v := <-doubts:
			if v.undone && v.leader != "" && v.leader != address {
				return v
			}
			tick.Reset(pause/2 + rand.N(pause))
			pause = min(2*pause, 2*doubt)
		}
	}
}

// elsewhere asks another controller the same only to hear who leads. An answer
// of another kind is passed over.
func (r *route) elsewhere(ctx context.Context, address, method string, args any, like proto.Message) verdict {
	ctx, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	others := r.candidates(map[string]bool{address: true})
	if len(others) == 0 {
		return verdict{}
	}
	other, conn, err := r.open(ctx, others)
	if err != nil {
		return verdict{}
	}
	var header, trailer metadata.MD
	err = conn.Invoke(ctx, method, args, like.ProtoReflect().New().Interface(), grpc.Header(&header), grpc.Trailer(&trailer))
	if err == nil { // it leads itself: sent again, the request finds it
		r.prefer(other)
		return verdict{err: status.Error(codes.Unavailable, "controller "+other+" leads"), undone: true, leader: other}
	}
	return r.judge(other, header, trailer, err)
}

// NewStream implements grpc.ClientConnInterface. It returns once a controller
// that leads has taken the stream.
func (r *route) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	for s := newSearch(); ; {
		address, conn, err := r.find(ctx, s)
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		stream, v := r.begin(ctx, address, conn, desc, method, opts)
		if v.err == nil {
			return stream, nil
		}
		// Before its header a stream has done nothing.
		if !s.again(ctx, address, v, true) {
			return nil, wire.Error(v.err)
		}
	}
}

// begin opens a stream and waits for its header, which says that it was taken.
func (r *route) begin(ctx context.Context, address string, conn *grpc.ClientConn, desc *grpc.StreamDesc, method string, opts []grpc.CallOption) (grpc.ClientStream, verdict) {
	streaming, cancel := context.WithCancel(ctx)
	stream, err := conn.NewStream(streaming, desc, method, opts...)
	if err != nil {
		cancel()
		return nil, r.judge(address, nil, nil, err)
	}
	slow := time.AfterFunc(answer, cancel)
	header, err := stream.Header()
	if !slow.Stop() && ctx.Err() == nil {
		return nil, verdict{err: status.Error(codes.Unavailable, "controller "+address+" does not answer")}
	}
	if err == nil && header == nil {
		err = stream.RecvMsg(&emptypb.Empty{}) // the status that it ended with
	}
	if err != nil {
		cancel()
		return nil, r.judge(address, header, stream.Trailer(), err)
	}
	context.AfterFunc(stream.Context(), cancel)
	return classifiedStream{stream}, r.judge(address, header, nil, nil)
}

// classifiedStream gives errors of a stream their class back.
type classifiedStream struct{ grpc.ClientStream }

// RecvMsg implements grpc.ClientStream.
func (s classifiedStream) RecvMsg(m any) error { return streamError(s.ClientStream.RecvMsg(m)) }

// SendMsg implements grpc.ClientStream.
func (s classifiedStream) SendMsg(m any) error { return streamError(s.ClientStream.SendMsg(m)) }

func streamError(err error) error {
	if errors.Is(err, io.EOF) {
		return err
	}
	return wire.Error(err)
}
