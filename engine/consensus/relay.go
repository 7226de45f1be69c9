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
func (l *line) pass(r *raft.Raft, log raft.LogStore) {
	l.relay.Go(func() error {
		for {
			select {
			case <-l.closed:
				return nil
			case rpc := <-l.Transport.Consumer():
				rpc.RespChan <- l.handle(r, log, rpc)
			}
		}
	})
}

// overtaken reports whether all that a snapshot has is here: applied, or in the
// log, where a slow disk may have put it after the leader had given up waiting
// and sent the snapshot.
func overtaken(r *raft.Raft, log raft.LogStore, s *raft.InstallSnapshotRequest) bool {
	if s.Term < r.CurrentTerm() {
		return false // raft refuses it
	}
	if s.LastLogIndex <= r.AppliedIndex() {
		return true
	}
	var held raft.Log
	return log.GetLog(s.LastLogIndex, &held) == nil && held.Term == s.LastLogTerm
}

func (l *line) handle(r *raft.Raft, log raft.LogStore, rpc raft.RPC) raft.RPCResponse {
	if s, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok && overtaken(r, log, s) {
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
