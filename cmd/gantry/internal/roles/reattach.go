package roles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/model"
)

// reattached says where a machine's controllers went. It is a file in the
// agent's directory, which the agent looks at as it runs.
type reattached struct {
	Addresses []string `json:"addresses"` // host:port; the host "gateway" is the machine's own
	Epoch     string   `json:"epoch,omitempty"`
}

// reattachLook is how often an agent looks at the file.
const reattachLook = time.Second

func (p place) reattachFile() string { return filepath.Join(p.dirs().State, "controllers.json") }

// reattach is what an operator runs on a machine, and a host agent in those of
// its host, once the controllers are elsewhere.
func reattach() *cobra.Command {
	var at place
	var to reattached
	cmd := &cobra.Command{
		Use: "reattach --addresses HOST:PORT[,HOST:PORT...]", Args: cobra.NoArgs,
		Short: "Tell this machine's agent where its controllers are now; nothing restarts",
		RunE:  func(*cobra.Command, []string) error { return at.reattach(to) },
	}
	cmd.Flags().StringSliceVar(&to.Addresses, "addresses", nil, "host:port of the controllers")
	cmd.Flags().StringVar(&to.Epoch, "epoch", "", "of the restored control plane, as gantry restore printed it: no controller of an earlier one is obeyed any more")
	at.flags(cmd)
	return cmd
}

func (p place) reattach(to reattached) error {
	if len(to.Addresses) == 0 {
		return fmt.Errorf("--addresses: name at least one host:port: %w", model.ErrInvalid)
	}
	for _, a := range to.Addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return fmt.Errorf("--addresses %q: expected host:port: %w", a, model.ErrInvalid)
		}
	}
	if _, err := model.ParseEpoch(to.Epoch); err != nil {
		return err
	}
	b, err := json.MarshalIndent(to, "", "\t")
	if err != nil {
		return err
	}
	temporary := p.reattachFile() + ".new"
	if err := os.WriteFile(temporary, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("reattach: %w", err)
	}
	return os.Rename(temporary, p.reattachFile())
}

// reattached reads where the controllers went; nowhere, where nobody said so.
func (p place) reattached() (to reattached, err error) {
	b, err := os.ReadFile(p.reattachFile())
	if errors.Is(err, fs.ErrNotExist) {
		return to, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &to)
	}
	if err == nil {
		to.Addresses, err = throughGateway(to.Addresses)
	}
	if err != nil {
		return to, fmt.Errorf("%s: %w", p.reattachFile(), err)
	}
	return to, nil
}

// followReattached takes the file up whenever it changes, until ctx ends.
func (p place) followReattached(ctx context.Context, start []string, controller *client.Agent, log *slog.Logger) error {
	tick := time.NewTicker(reattachLook)
	defer tick.Stop()
	var last reattached
	for {
		to, err := p.reattached()
		epoch, wrong := model.ParseEpoch(to.Epoch)
		switch {
		case err != nil || wrong != nil:
			log.Warn("cannot read where the controllers went", "error", errors.Join(err, wrong))
		case to.Epoch != last.Epoch || !slices.Equal(to.Addresses, last.Addresses):
			last = to
			log.Info("the controllers are elsewhere", "addresses", to.Addresses, "epoch", to.Epoch)
			controller.Readdress(slices.Concat(to.Addresses, start), epoch)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// throughGateway puts the machine's own gateway where an address says so.
func throughGateway(addresses []string) ([]string, error) {
	all := slices.Clone(addresses)
	for i, a := range all {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			return nil, err
		}
		if host != gatewayWord {
			continue
		}
		gateway, err := defaultGateway()
		if err != nil {
			return nil, err
		}
		all[i] = net.JoinHostPort(gateway, port)
	}
	return all, nil
}

// reattachAll tells the agents of all running machines of this host where the
// restored controller is. One that cannot be told is logged: gantry agent
// reattach on the machine does the same.
func reattachAll(ctx context.Context, made machines, i Install, log *slog.Logger) error {
	exec, able := made.(provider.Execer)
	if i.Epoch == "" || !able {
		return nil
	}
	list, err := made.List(ctx)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.State != provider.Running {
			continue // it learns when it is started
		}
		var said bytes.Buffer
		argv := []string{
			m.Binary, "agent", "reattach", "--root", m.Root, "--run", m.Run,
			"--addresses", strings.Join(controllerSeen(i), ","), "--epoch", i.Epoch,
		}
		if err := exec.Exec(ctx, m.UUID, argv, provider.Stdio{Out: &said, Err: &said}); err != nil {
			log.Warn("cannot tell a machine where the controller is", "machine", m.UUID, "error", err, "output", said.String())
		}
	}
	return nil
}
