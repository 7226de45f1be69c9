package wire

import (
	"context"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Users is about who may log in, and what they may do.
type Users interface {
	AddUser(ctx context.Context, r operator.AddUser) (operator.Registration, error)
	RegisterUser(ctx context.Context, r operator.RegisterUser) (operator.Registration, error)
	ChangeUser(ctx context.Context, r operator.ChangeUser) (operator.Committed, error)
	RemoveUser(ctx context.Context, name model.UserName, c operator.Change) (operator.Committed, error)
	Grant(ctx context.Context, r operator.Grant) (operator.Committed, error)
	// ListUsers returns every user to an administrator, and else the caller.
	ListUsers(ctx context.Context) ([]operator.User, error)
	WhoAmI(ctx context.Context) (operator.WhoAmI, error)
}

type usersServer struct {
	pb.UnimplementedUsersServer
	api Users
}

// AddUser implements pb.UsersServer.
func (s usersServer) AddUser(ctx context.Context, r *pb.AddUserRequest) (*pb.RegistrationResponse, error) {
	name, err := model.ParseUserName(r.Name)
	if err != nil {
		return nil, err
	}
	return answerRegistration(s.api.AddUser(ctx, operator.AddUser{
		Change: changeOf(r.Change), Name: name, Superuser: r.Superuser, AddModels: r.AddModels,
	}))
}

// RegisterUser implements pb.UsersServer.
func (s usersServer) RegisterUser(ctx context.Context, r *pb.RegisterUserRequest) (*pb.RegistrationResponse, error) {
	name, err := model.ParseUserName(r.Name)
	if err != nil {
		return nil, err
	}
	return answerRegistration(s.api.RegisterUser(ctx, operator.RegisterUser{Change: changeOf(r.Change), Name: name, Revoke: r.Revoke}))
}

func answerRegistration(r operator.Registration, err error) (*pb.RegistrationResponse, error) {
	if err != nil {
		return nil, err
	}
	return &pb.RegistrationResponse{Committed: pbCommitted(r.Committed), Token: r.Token, ExpiresUnix: r.Expires.Unix()}, nil
}

// ChangeUser implements pb.UsersServer.
func (s usersServer) ChangeUser(ctx context.Context, r *pb.ChangeUserRequest) (*pb.Committed, error) {
	name, err := model.ParseUserName(r.Name)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.ChangeUser(ctx, operator.ChangeUser{
		Change: changeOf(r.Change), Name: name, Disabled: r.Disabled, Superuser: r.Superuser, AddModels: r.AddModels,
	}))
}

// RemoveUser implements pb.UsersServer.
func (s usersServer) RemoveUser(ctx context.Context, r *pb.RemoveUserRequest) (*pb.Committed, error) {
	name, err := model.ParseUserName(r.Name)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.RemoveUser(ctx, name, changeOf(r.Change)))
}

// Grant implements pb.UsersServer.
func (s usersServer) Grant(ctx context.Context, r *pb.GrantRequest) (*pb.Committed, error) {
	m, err := model.ParseModelName(r.Model)
	if err != nil {
		return nil, err
	}
	user, err := model.ParseUserName(r.User)
	if err != nil {
		return nil, err
	}
	return answerCommitted(s.api.Grant(ctx, operator.Grant{Change: changeOf(r.Change), Model: m, User: user, Access: r.Access}))
}

// ListUsers implements pb.UsersServer.
func (s usersServer) ListUsers(ctx context.Context, _ *pb.ListUsersRequest) (*pb.ListUsersResponse, error) {
	list, err := s.api.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	users, err := encodeAll(list)
	return &pb.ListUsersResponse{Users: users}, err
}

// WhoAmI implements pb.UsersServer.
func (s usersServer) WhoAmI(ctx context.Context, _ *pb.WhoAmIRequest) (*pb.WhoAmIResponse, error) {
	who, err := s.api.WhoAmI(ctx)
	if err != nil {
		return nil, err
	}
	b, err := encode(who)
	return &pb.WhoAmIResponse{Who: b}, err
}

// encodeAll is the JSON of each of a list.
func encodeAll[T any](list []T) ([][]byte, error) {
	out := make([][]byte, 0, len(list))
	for _, v := range list {
		b, err := encode(v)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// decodeAll reads what encodeAll wrote.
func decodeAll[T any](list [][]byte) ([]T, error) {
	out := make([]T, 0, len(list))
	for _, b := range list {
		v, err := decode[T](b)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

type usersClient struct{ pb pb.UsersClient }

// AddUser implements Users.
func (c usersClient) AddUser(ctx context.Context, r operator.AddUser) (operator.Registration, error) {
	return readRegistration(c.pb.AddUser(ctx, &pb.AddUserRequest{
		Name: string(r.Name), Superuser: r.Superuser, AddModels: r.AddModels, Change: pbChange(r.Change),
	}))
}

// RegisterUser implements Users.
func (c usersClient) RegisterUser(ctx context.Context, r operator.RegisterUser) (operator.Registration, error) {
	return readRegistration(c.pb.RegisterUser(ctx, &pb.RegisterUserRequest{Name: string(r.Name), Revoke: r.Revoke, Change: pbChange(r.Change)}))
}

func readRegistration(r *pb.RegistrationResponse, err error) (operator.Registration, error) {
	if err != nil {
		return operator.Registration{}, err
	}
	return operator.Registration{Committed: committedOf(r.Committed), Token: r.Token, Expires: time.Unix(r.ExpiresUnix, 0).UTC()}, nil
}

// ChangeUser implements Users.
func (c usersClient) ChangeUser(ctx context.Context, r operator.ChangeUser) (operator.Committed, error) {
	return readCommitted(c.pb.ChangeUser(ctx, &pb.ChangeUserRequest{
		Name: string(r.Name), Disabled: r.Disabled, Superuser: r.Superuser, AddModels: r.AddModels, Change: pbChange(r.Change),
	}))
}

// RemoveUser implements Users.
func (c usersClient) RemoveUser(ctx context.Context, name model.UserName, change operator.Change) (operator.Committed, error) {
	return readCommitted(c.pb.RemoveUser(ctx, &pb.RemoveUserRequest{Name: string(name), Change: pbChange(change)}))
}

// Grant implements Users.
func (c usersClient) Grant(ctx context.Context, r operator.Grant) (operator.Committed, error) {
	return readCommitted(c.pb.Grant(ctx, &pb.GrantRequest{
		Model: string(r.Model), User: string(r.User), Access: r.Access, Change: pbChange(r.Change),
	}))
}

// ListUsers implements Users.
func (c usersClient) ListUsers(ctx context.Context) ([]operator.User, error) {
	r, err := c.pb.ListUsers(ctx, &pb.ListUsersRequest{})
	if err != nil {
		return nil, err
	}
	return decodeAll[operator.User](r.Users)
}

// WhoAmI implements Users.
func (c usersClient) WhoAmI(ctx context.Context) (operator.WhoAmI, error) {
	r, err := c.pb.WhoAmI(ctx, &pb.WhoAmIRequest{})
	if err != nil {
		return operator.WhoAmI{}, err
	}
	return decode[operator.WhoAmI](r.Who)
}
