package consensus

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"

	"github.com/gantry-orchestrator/gantry/engine/state"
)

// TestASnapshotThatTheLogHoldsDeletesNothing is a follower on a slow disk: it
// has acknowledged entries after the snapshot that the leader then sends, and
// has not heard that they are committed.
func TestASnapshotThatTheLogHoldsDeletesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newSimDisk(1)
		kept, err := d.open()
		if err != nil {
			t.Fatal(err)
		}
		m, end := newMachine(), newSimNet(1).join("c2:1", &simPause{})
		n, err := newNode(Config{ID: "c2", Address: "c2:1", Join: true}, parts{disk: kept, transport: end, machine: m, fsm: m, timing: simTiming})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- n.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) }()

		header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("c1"), Addr: []byte("c1:1")}
		ask := func(request any, content []byte) raft.RPCResponse {
			answer := make(chan raft.RPCResponse, 1)
			end.rpcs <- raft.RPC{Command: request, Reader: bytes.NewReader(content), RespChan: answer}
			return <-answer
		}
		var entries []*raft.Log
		for i := range uint64(10) {
			entries = append(entries, &raft.Log{Index: i + 1, Term: 2, Type: raft.LogNoop})
		}
		if a := ask(&raft.AppendEntriesRequest{RPCHeader: header, Term: 2, Entries: entries, LeaderCommitIndex: 2}, nil); !a.Response.(*raft.AppendEntriesResponse).Success {
			t.Fatalf("the entries: %+v", a)
		}
		var snapshot bytes.Buffer
		if err := state.Empty().Encode(&snapshot); err != nil {
			t.Fatal(err)
		}
		request := &raft.InstallSnapshotRequest{
			RPCHeader: header, SnapshotVersion: raft.SnapshotVersionMax, Term: 2, LastLogIndex: 5, LastLogTerm: 2,
			Configuration: raft.EncodeConfiguration(alone("c1", "c1:1")), ConfigurationIndex: 1, Size: int64(snapshot.Len()),
		}
		if a := ask(request, snapshot.Bytes()); a.Error != nil || !a.Response.(*raft.InstallSnapshotResponse).Success {
			t.Fatalf("the snapshot: %+v", a)
		}
		for _, e := range entries {
			if err := kept.GetLog(e.Index, new(raft.Log)); err != nil {
				t.Errorf("entry %d was acknowledged and is lost: %v", e.Index, err)
			}
		}
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}
