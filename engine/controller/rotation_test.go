package controller

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// watch opens a stream of a model's status and returns a channel of what comes
// and one of why it ended.
func watch(ctx context.Context, g *errgroup.Group, c *client.Client, m model.ModelName) (came chan operator.Status, ended chan error) {
	came, ended = make(chan operator.Status, 100), make(chan error, 1)
	g.Go(func() error {
		ended <- c.WatchStatus(ctx, m, 0, func(s operator.Status) error {
			came <- s
			return nil
		})
		return nil
	})
	return came, ended
}

func dialled(t *testing.T, c client.Context) *client.Client {
	t.Helper()
	conn := must(client.Dial(c))(t)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// within waits for something from a channel.
func within[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not happen in time", what)
		panic("unreachable")
	}
}

func TestAUsersCertificateIsRenewedUnderAnOpenStream(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	for _, m := range []model.ModelName{"m", "spare"} {
		must(w.admin.AddModel(w.ctx, operator.AddModel{Name: m}))(t)
	}
	old := w.user(operator.AddUser{Name: "ann"}, "read")
	path := filepath.Join(t.TempDir(), "ann.json")
	if err := old.Save(path); err != nil {
		t.Fatal(err)
	}
	old = must(client.Load(path))(t)
	ann := dialled(t, old)
	var g errgroup.Group
	ctx, cancel := context.WithCancel(w.ctx)
	came, ended := watch(ctx, &g, ann, "m")
	within(t, "the first status", came)
	before := must(ann.WhoAmI(w.ctx))(t).Fingerprint

	next := must(ann.Renew(w.ctx, old))(t)
	if now := must(ann.WhoAmI(w.ctx))(t).Fingerprint; now == before {
		t.Error("requests still go out with the old certificate")
	}
	if kept := must(client.Load(path))(t); string(kept.Certificate) != string(next.Certificate) {
		t.Error("the context file has the old certificate")
	}
	must(dialled(t, old).WhoAmI(w.ctx))(t) // in the overlap the old one is good too
	must(w.admin.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db"}))(t)
	for len(within(t, "the status after the change", came).Applications) == 0 {
	}
	select {
	case err := <-ended:
		t.Errorf("the stream ended: %v", err)
	default:
	}
	cancel()
	_ = g.Wait()
}

func TestWhatIsTakenEndsOpenStreamsAtOnce(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	for _, m := range []model.ModelName{"m", "spare"} {
		must(w.admin.AddModel(w.ctx, operator.AddModel{Name: m}))(t)
	}
	yes := true
	var g errgroup.Group
	for name, take := range map[string]func(user model.UserName) error{
		"its access": func(u model.UserName) error {
			_, err := w.admin.Grant(w.ctx, operator.Grant{Model: "m", User: u, Access: "none"})
			return err
		},
		"its login": func(u model.UserName) error {
			_, err := w.admin.RegisterUser(w.ctx, operator.RegisterUser{Name: u, Revoke: true})
			return err
		},
		"its user disabled": func(u model.UserName) error {
			_, err := w.admin.ChangeUser(w.ctx, operator.ChangeUser{Name: u, Disabled: &yes})
			return err
		},
		"its user removed": func(u model.UserName) error {
			_, err := w.admin.RemoveUser(w.ctx, u, operator.Change{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			user := model.UserName(strings.ReplaceAll(name, " ", "-"))
			c := dialled(t, w.user(operator.AddUser{Name: user}, "read"))
			came, ended := watch(w.ctx, &g, c, "m")
			within(t, "the first status", came)
			if err := take(user); err != nil {
				t.Fatal(err)
			}
			if err := within(t, "the end of the stream", ended); !errors.Is(err, model.ErrDenied) {
				t.Errorf("the stream ended with %v", err)
			}
			if _, err := c.Status(w.ctx, "m"); !errors.Is(err, model.ErrDenied) {
				t.Errorf("a request is answered with %v", err)
			}
		})
	}
	t.Run("a token revoked", func(t *testing.T) {
		c := dialled(t, w.pipeline(model.ReadAccess))
		came, ended := watch(w.ctx, &g, c, "m")
		within(t, "the first status", came)
		token := must(c.ListTokens(w.ctx))(t)[0]
		if len(token.ID) != 32 {
			t.Errorf("the token's ID %q is not of 128 bits", token.ID)
		}
		must(w.admin.RevokeToken(w.ctx, token.ID, operator.Change{}))(t)
		if err := within(t, "the end of the stream", ended); !errors.Is(err, model.ErrDenied) {
			t.Errorf("the stream ended with %v", err)
		}
	})
	_ = g.Wait()
}

func TestTokensFailClosed(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	for _, m := range []model.ModelName{"m", "spare"} {
		must(w.admin.AddModel(w.ctx, operator.AddModel{Name: m}))(t)
	}
	ann := dialled(t, w.user(operator.AddUser{Name: "ann"}, "write"))
	_, csr, err := client.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for rule, c := range map[string]struct {
		by    *client.Client
		token operator.CreateToken
		class error
	}{
		"more than the user has": {ann, operator.CreateToken{Model: "m", Access: model.AdminAccess, Life: time.Hour, CSR: csr}, model.ErrDenied},
		"another model":          {ann, operator.CreateToken{Model: "other", Access: model.ReadAccess, Life: time.Hour, CSR: csr}, model.ErrDenied},
		"no end":                 {ann, operator.CreateToken{Model: "m", Access: model.ReadAccess, CSR: csr}, model.ErrInvalid},
		"no request":             {ann, operator.CreateToken{Model: "m", Access: model.ReadAccess, Life: time.Hour}, model.ErrInvalid},
		"by a token":             {dialled(t, w.pipeline(model.AdminAccess)), operator.CreateToken{Model: "m", Access: model.ReadAccess, Life: time.Hour, CSR: csr}, model.ErrDenied},
	} {
		if _, err := c.by.CreateToken(w.ctx, c.token); !errors.Is(err, c.class) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	// A token falls with its user's access, and never exceeds it.
	key, csr, err := client.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	made := must(ann.CreateToken(w.ctx, operator.CreateToken{Model: "m", Access: model.WriteAccess, Life: time.Hour, CSR: csr}))(t)
	ci := dialled(t, client.Context{Addresses: w.ready.Addresses, CA: made.CA, Certificate: made.Certificate, Key: key})
	must(ci.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "db"}))(t)
	must(w.admin.Grant(w.ctx, operator.Grant{Model: "m", User: "ann", Access: "read"}))(t)
	if _, err := ci.Deploy(w.ctx, operator.Deploy{Model: "m", Charm: "web"}); !errors.Is(err, model.ErrDenied) {
		t.Errorf("after its user lost write access: %v", err)
	}
	must(ci.Status(w.ctx, "m"))(t)
	if _, err := ci.RenewUser(w.ctx, csr); !errors.Is(err, model.ErrDenied) {
		t.Errorf("a token is renewed: %v", err)
	}
	if tokens := must(ann.ListTokens(w.ctx))(t); len(tokens) != 1 {
		t.Errorf("ann sees %+v", tokens)
	}
	if users := must(ann.ListUsers(w.ctx))(t); len(users) != 1 || users[0].Name != "ann" {
		t.Errorf("ann sees %+v", users)
	}
}

func TestOneOfManyRivalsRegisters(t *testing.T) {
	w := beginAlone(t, t.TempDir())
	token := must(w.admin.AddUser(w.ctx, operator.AddUser{Name: "ann"}))(t).Token
	var won atomic.Int32
	var g errgroup.Group
	for range 32 {
		g.Go(func() error {
			_, err := client.Join(w.ctx, token)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, model.ErrDenied) && !errors.Is(err, model.ErrUnavailable): // a busy host hears some too late
				t.Errorf("a rival was told %v", err)
			}
			return nil
		})
	}
	_ = g.Wait()
	if won.Load() > 1 {
		t.Errorf("%d of 32 rivals registered", won.Load())
	}
	if _, err := client.Join(w.ctx, token); !errors.Is(err, model.ErrDenied) {
		t.Errorf("after them all, the token is good for another: %v", err)
	}
}

func TestShortLivedCertificatesAreRenewedUnderASession(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for certificates to end")
	}
	const life = 3 * time.Second
	w := beginAlone(t, t.TempDir(), func(c *Config) { c.CertificateLife = life })
	must(w.admin.AddModel(w.ctx, operator.AddModel{Name: "m"}))(t)
	path := filepath.Join(t.TempDir(), "agent.json")
	if err := must(client.Join(w.ctx, w.token()))(t).Save(path); err != nil {
		t.Fatal(err)
	}
	first := must(client.Load(path))(t)
	agent := must(client.DialAgent(first))(t)
	t.Cleanup(func() { _ = agent.Close() })
	ctx, cancel := context.WithCancel(w.ctx)
	var g errgroup.Group
	g.Go(func() error { return agent.KeepRenewed(ctx, path, slog.New(slog.DiscardHandler)) })
	s := must(agent.Open(w.ctx))(t)
	uuid := must(w.admin.ListMachines(w.ctx, "m"))(t)[0].UUID
	if err := s.Send(effect.Upward{Hello: &effect.Hello{Machine: uuid, Host: effect.HostFacts{Hostname: "h", Arch: "amd64"}}}); err != nil {
		t.Fatal(err)
	}
	last, renewed := first.Certificate, 0
	for serial := uint64(1); renewed < 3; serial++ {
		if err := s.Send(effect.Upward{Beat: &effect.Beat{Serial: serial}}); err != nil {
			t.Fatalf("after %d renewals the session was cut off: %v", renewed, err)
		}
		for {
			down, err := s.Recv()
			if err != nil {
				t.Fatalf("after %d renewals the session was cut off: %v", renewed, err)
			}
			if down.Beat != nil && down.Beat.Serial == serial {
				break
			}
		}
		// Another request of the agent, on whatever connection: it is refused
		// for what it asks, not for who asks.
		if err := agent.FetchCharm(w.ctx, "unknown", nil); !errors.Is(err, model.ErrDenied) || refusedAtGate(err) {
			t.Fatalf("after %d renewals a request was answered with %v", renewed, err)
		}
		if now := must(client.Load(path))(t); string(now.Certificate) != string(last) {
			last, renewed = now.Certificate, renewed+1
		}
		must(w.admin.Info(w.ctx))(t)
	}
	// By now the first certificate has ended, and the controller's own with it.
	fresh := dialled(t, must(client.Load(w.ready.Admin))(t))
	must(fresh.Info(w.ctx))(t)
	late := must(client.DialAgent(first))(t)
	defer late.Close()
	if err := late.FetchCharm(w.ctx, "unknown", nil); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("the first certificate is answered with %v", err)
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}
