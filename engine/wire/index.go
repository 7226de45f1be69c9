package wire

import "github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"

// IndexOf is the index of what an answer says was committed, 0 where it says
// nothing of it.
func IndexOf(answer any) uint64 {
	switch a := answer.(type) {
	case *pb.Committed:
		return a.GetIndex()
	case interface{ GetCommitted() *pb.Committed }:
		return a.GetCommitted().GetIndex()
	default:
		return 0
	}
}
