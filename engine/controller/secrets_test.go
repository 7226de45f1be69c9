package controller

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/reflect/protoreflect"

	"google.golang.org/grpc"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/wire"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// canary is what no one but its owner may ever see.
const canary = "CANARY-7f3e9b-hunter2"

// safe is a log that several write to.
type safe struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *safe) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(b)
}

func (s *safe) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.String()
}

// rawCodec passes answers on as their bytes.
type rawCodec struct{ encoding.CodecV2 }

func (c rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	if to, ok := v.(*[]byte); ok {
		*to = data.Materialize()
		return nil
	}
	return c.CodecV2.Unmarshal(data, v)
}

// filled sets every text field of a request to something that exists, where its
// name says what it is.
func filled(m wire.Method) any {
	request := m.Request.New()
	fields := request.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Kind() != protoreflect.StringKind || f.IsList() || f.IsMap() {
			continue
		}
		known := map[string]string{"model": "m", "application": "db", "name": "db", "unit": "db/0", "machine": "0", "id": "1", "user": "admin"}
		if value, ok := known[string(f.Name())]; ok {
			request.Set(f, protoreflect.ValueOfString(value))
		}
	}
	return request.Interface()
}

// answers calls a route and returns all bytes that come back, errors included.
func answers(conn *grpc.ClientConn, m wire.Method) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	codec := grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")})
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: m.ClientStreaming, ServerStreams: true}, m.Name, codec)
	if err != nil {
		return []byte(err.Error())
	}
	if err := s.SendMsg(filled(m)); err == nil {
		_ = s.CloseSend()
	}
	var all []byte
	for {
		var b []byte
		if err := s.RecvMsg(&b); err != nil {
			return append(all, err.Error()...)
		}
		all = append(all, b...)
	}
}

// TestNoAnswerNoLogAndNoFileHasASecret plants a secret wherever an agent can
// put one, calls every route that only looks as the administrator and looks at
// every byte that comes back, is logged, or is kept on the disk.
func TestNoAnswerNoLogAndNoFileHasASecret(t *testing.T) {
	var logged safe
	w := beginAlone(t, t.TempDir(), func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.fakes.Go(func() error { return w.host(w.ctx, &w.fakes) })
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db"}))(t)
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "web"}))(t)
	relation := must(w.admin.Integrate(w.ctx, operator.Integrate{Model: "m", A: ref(t, "web"), B: ref(t, "db")}))(t).Relation
	w.converge("m")
	db, unit := w.agentOf("m", "db/0"), must(model.ParseUnitName("db/0"))(t)
	lead, _ := db.intent("db/0")
	plant := map[string][]byte{"password": []byte(canary)}
	id := must(db.PutSecret(w.ctx, effect.NewSecret{Unit: unit, Name: "own", Scope: effect.UnitScope, Fields: plant, Grants: []model.RelationID{relation}}))(t)
	if len(strings.TrimPrefix(id, "secret:")) != 32 {
		t.Errorf("the ID %s has not 128 bits", id)
	}
	must(db.PutSecret(w.ctx, effect.NewSecret{Unit: unit, Name: "app", Scope: effect.ApplicationScope, Token: lead.Live.Token, Fields: plant}))(t)
	claim := must(db.OpenClaim(w.ctx, effect.Claim{Unit: unit, Task: "init", Key: "k", Token: lead.Live.Token, Deadline: time.Minute}))(t)
	if err := db.CloseClaim(w.ctx, effect.ClaimResult{Unit: unit, Task: "init", Key: "k", Token: claim, Sealed: plant}); err != nil {
		t.Fatal(err)
	}
	if opened := must(db.ReadSecrets(w.ctx, unit, []effect.SecretAt{{ID: id}}))(t); string(opened[0].Fields["password"]) != canary {
		t.Fatalf("the owner reads %v: the canary is not there", opened)
	}

	admin := must(client.Load(w.ready.Admin))(t)
	conn := raw(t, w.ready.Addresses[0], admin)
	called, came := 0, 0
	for _, m := range served(t) {
		if !looks(m) {
			continue
		}
		called++
		answer := answers(conn, m)
		came += len(answer)
		for _, bad := range forbidden(t, w) {
			if bytes.Contains(answer, []byte(bad.text)) {
				t.Errorf("%s answers with %s", m.Name, bad.what)
			}
		}
	}
	if called < 20 || came < 10000 {
		t.Errorf("%d routes were called and %d bytes came", called, came)
	}
	t.Logf("%d routes were called and %d bytes came", called, came)
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	for _, bad := range forbidden(t, w) {
		if strings.Contains(logged.text(), bad.text) {
			t.Errorf("the log has %s", bad.what)
		}
	}
	w.searchDisk()
}

// looks reports whether a route changes nothing: those of an operator whose
// names do not say otherwise. A route that is new is looked at until it is
// named here.
func looks(m wire.Method) bool {
	if m.ClientStreaming || m.Access == wire.Agent || m.Access == wire.HostAgent || m.Access == wire.Join || m.Access == wire.Peer {
		return false
	}
	name := m.Name[strings.LastIndex(m.Name, "/")+1:]
	for _, change := range []string{
		"Shutdown", "Logout", "Destroy", "Remove", "Transfer", "Renew", "Restore", "Cancel", "Create", "Schedule", "RevokeT", "AddUser", "RegisterUser",
	} {
		if strings.HasPrefix(name, change) {
			return false
		}
	}
	return true
}

type forbiddenText struct{ what, text string }

// forbidden is the canary and every private key of the controller.
func forbidden(t *testing.T, w *world) []forbiddenText {
	t.Helper()
	list := []forbiddenText{
		{"a secret", canary},
		{"a secret in base64", base64.StdEncoding.EncodeToString([]byte(canary))},
		{"a secret in hex", hex.EncodeToString([]byte(canary))},
		{"a private key", "PRIVATE KEY"},
	}
	secrets, err := os.ReadFile(filepath.Join(w.dir, "pki", "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	return append(list, forbiddenText{"the key of secrets", string(secrets)})
}

// searchDisk looks at every file of the stopped controller: raft's log and
// snapshots, the record of requests, what is kept for a restart.
func (w *world) searchDisk() {
	w.t.Helper()
	files, control := 0, false
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && path != w.dir {
			if parent, err := os.Stat(filepath.Dir(path)); err == nil && parent.Mode().Perm()&0o077 != 0 && filepath.Dir(path) != w.dir {
				w.t.Errorf("%s has mode %v in a directory of mode %v", path, info.Mode(), parent.Mode())
			}
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		files++
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		control = control || bytes.Contains(b, []byte("Keeps data.")) // of a charm's metadata, in raft's log
		for _, bad := range forbidden(w.t, w) {
			holder := strings.HasSuffix(path, ".key") || strings.HasSuffix(path, "admin.json") || strings.HasSuffix(path, "host.json")
			if bytes.Contains(b, []byte(bad.text)) && (strings.HasPrefix(bad.what, "a secret") || !holder) {
				w.t.Errorf("%s has %s", path, bad.what)
			}
			if holder && info.Mode().Perm() != 0o600 {
				w.t.Errorf("%s has mode %v", path, info.Mode())
			}
		}
		return err
	})
	if !control {
		w.t.Error("what is in raft's log was not found: the search is blind")
	}
	if err != nil || files < 5 {
		w.t.Error(fmt.Errorf("%d files were looked at: %w", files, err))
	}
}
