package wire

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
)

// repeatable are the services all of whose methods say the same again when
// they are asked again.
var repeatable = map[string]bool{
	pb.Agent_ServiceDesc.ServiceName: true, pb.HostAgent_ServiceDesc.ServiceName: true, pb.Artifacts_ServiceDesc.ServiceName: true,
	pb.Membership_ServiceDesc.ServiceName: true, pb.Peers_ServiceDesc.ServiceName: true,
}

// Repeatable reports whether a request may be sent again though its first
// sending may have been carried out: it only reads, or it carries a key by
// which a controller knows it again.
func Repeatable(method string, request any) bool {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	if repeatable[service] {
		return true
	}
	if d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + name)); err == nil {
		if read, _ := proto.GetExtension(d.Options(), pb.E_Read).(bool); read {
			return true
		}
	}
	r, ok := request.(interface{ GetChange() *pb.Change })
	return ok && r.GetChange().GetKey() != ""
}
