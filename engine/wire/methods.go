package wire

import (
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
)

// Access is whom a method is open to.
type Access string

// The values that a method may declare.
const (
	Login           Access = "login"            // any operator
	ModelRead       Access = "model read"       // an operator who may read the request's model
	ModelWrite      Access = "model write"      // ... change it
	ModelAdmin      Access = "model admin"      // ... administer it
	ControllerAdmin Access = "controller admin" // an operator who administers the controller
	Agent           Access = "agent"            // the agent of a machine
	HostAgent       Access = "host agent"       // the agent that makes machines
	Join            Access = "join"             // the bearer of a token
	Peer            Access = "controller"       // another controller
	AddModels       Access = "add model"        // an operator who may make models
)

var accesses = map[pb.Access]Access{
	pb.Access_LOGIN: Login, pb.Access_MODEL_READ: ModelRead, pb.Access_MODEL_WRITE: ModelWrite,
	pb.Access_MODEL_ADMIN: ModelAdmin, pb.Access_CONTROLLER_ADMIN: ControllerAdmin,
	pb.Access_AGENT: Agent, pb.Access_HOST_AGENT: HostAgent, pb.Access_JOIN: Join,
	pb.Access_CONTROLLER: Peer, pb.Access_ADD_MODEL: AddModels,
}

// OfModel reports whether the access is to one model, which the request names.
func (a Access) OfModel() bool { return strings.HasPrefix(string(a), "model ") }

// Method is one rpc that a server serves.
type Method struct {
	Name            string // "/gantry.v1.Models/Apply"
	Access          Access
	Read            bool // it changes nothing and answers from the state alone
	ClientStreaming bool
	ServerStreaming bool
	Request         protoreflect.MessageType
}

// Methods lists what a server serves with the permission that each method
// declares. A method that declares none, or that is open to a model's
// operators and whose request names no model, is an error: do not serve it.
func Methods(services map[string]grpc.ServiceInfo) (map[string]Method, error) {
	methods := map[string]Method{}
	for service, info := range services {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", service, err)
		}
		declared := d.(protoreflect.ServiceDescriptor).Methods()
		for _, m := range info.Methods {
			method, err := describe(service, declared.ByName(protoreflect.Name(m.Name)))
			if err != nil {
				return nil, err
			}
			methods[method.Name] = method
		}
	}
	return methods, nil
}

func describe(service string, d protoreflect.MethodDescriptor) (Method, error) {
	name := fmt.Sprintf("/%s/%s", service, d.Name())
	declared, _ := proto.GetExtension(d.Options(), pb.E_Access).(pb.Access)
	access, ok := accesses[declared]
	if !ok {
		return Method{}, fmt.Errorf("method %s declares no permission: add option (gantry.v1.access): %w", name, model.ErrInvalid)
	}
	if access.OfModel() && d.Input().Fields().ByName("model") == nil {
		return Method{}, fmt.Errorf("method %s is open to %s and its request names no model: %w", name, access, model.ErrInvalid)
	}
	request, err := protoregistry.GlobalTypes.FindMessageByName(d.Input().FullName())
	if err != nil {
		return Method{}, fmt.Errorf("method %s: %w", name, err)
	}
	return Method{
		Name: name, Access: access, Read: proto.GetExtension(d.Options(), pb.E_Read).(bool), Request: request,
		ClientStreaming: d.IsStreamingClient(), ServerStreaming: d.IsStreamingServer(),
	}, nil
}

// ModelOf is the model that a request names.
func ModelOf(request any) (model.ModelName, error) {
	r, ok := request.(interface{ GetModel() string })
	if !ok {
		return "", fmt.Errorf("request %T names no model: %w", request, model.ErrDenied)
	}
	return model.ParseModelName(r.GetModel())
}
