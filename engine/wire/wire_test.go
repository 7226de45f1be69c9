package wire

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/gantry-orchestrator/gantry/model"
)

func TestEveryMethodDeclaresItsPermission(t *testing.T) {
	s := grpc.NewServer()
	Register(s, Handlers{})
	methods, err := Methods(s.GetServiceInfo())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range methods {
		if m.Access == "" {
			t.Errorf("%s declares none", m.Name)
		}
	}
}

func TestAMethodWithoutAPermissionIsNotServed(t *testing.T) {
	_, err := Methods(map[string]grpc.ServiceInfo{"grpc.channelz.v1.Channelz": {Methods: []grpc.MethodInfo{{Name: "GetServers"}}}})
	if err == nil {
		t.Error("a foreign service passes")
	}
}

func TestErrorsKeepTheirClassAndTextAcrossTheWire(t *testing.T) {
	for _, class := range []error{
		model.ErrNotFound, model.ErrConflict, model.ErrInvalid, model.ErrDenied, model.ErrFrozen, model.ErrUnavailable,
		context.DeadlineExceeded, context.Canceled,
	} {
		sent := fmt.Errorf("deploy x: %w", class)
		got := Error(Status(sent))
		if !errors.Is(got, class) || got.Error() != sent.Error() {
			t.Errorf("%v arrived as %v", sent, got)
		}
	}
	if c := status.Code(Status(errors.New("no class"))); c != codes.Internal {
		t.Errorf("an error without a class travels as %v", c)
	}
	if Status(nil) != nil || Error(nil) != nil {
		t.Error("no error became one")
	}
}

func TestATokenIsOneWordAndItsErrorsDoNotRepeatIt(t *testing.T) {
	token := Token{Addresses: []string{"127.0.0.1:1"}, CA: []byte("ca"), Secret: "s3cret"}
	got, err := ParseToken(token.String())
	if err != nil || got.Secret != token.Secret || got.Addresses[0] != token.Addresses[0] {
		t.Errorf("parsed %+v, %v", got, err)
	}
	for _, text := range []string{"", "s3cret", tokenPrefix + "!!", token.String()[:40]} {
		if _, err := ParseToken(text); !errors.Is(err, model.ErrInvalid) {
			t.Errorf("%q: %v, want invalid", text, err)
		}
	}
}
