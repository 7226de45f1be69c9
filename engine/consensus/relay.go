package consensus

import (
	"errors"
	"io"

	"github.com/hashicorp/raft"
)

var errClosed = errors.New("this controller is stopping")

// Consumer implements raft.Transport.
func (l *line) Consumer() <-chan raft.RPC { return l.requests }

// pass hands requests to raft, one after the other, from when it runs. A
// snapshot that has been overtaken on the way is answered here: raft would go
// back to it, and delete the entries that it has acknowledged since.
func (l *line) pass(r *raft.Raft) {
	l.relay.Go(func() error {
		for {
			select {
			case <-l.closed:
				return nil
			case rpc := <-l.Transport.Consumer():
				rpc.RespChan <- l.handle(r, rpc)
			}
		}
	})
}

func (l *line) handle(r *raft.Raft, rpc raft.RPC) raft.RPCResponse {
	if s, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok && s.LastLogIndex <= r.AppliedIndex() && s.Term >= r.CurrentTerm() {
		_, err := io.Copy(io.Discard, rpc.Reader) // the connection carries more after it
		return raft.RPCResponse{Response: &raft.InstallSnapshotResponse{RPCHeader: s.RPCHeader, Term: s.Term, Success: true}, Error: err}
	}
	answers := make(chan raft.RPCResponse, 1)
	handed := rpc
	handed.RespChan = answers
	select {
	case l.requests <- handed:
	case <-l.closed:
		return raft.RPCResponse{Error: errClosed}
	}
	select {
	case a := <-answers:
		return a
	case <-l.closed:
		return raft.RPCResponse{Error: errClosed}
	}
}
