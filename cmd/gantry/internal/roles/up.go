package roles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/agents/supervise"
	"github.com/gantry-orchestrator/gantry/cmd/gantry/internal/cli"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/engine/provider"
	"github.com/gantry-orchestrator/gantry/engine/provider/sandbox"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// leastFreeMiB is the free space below which up refuses.
const leastFreeMiB = 2048

// defaultPort is the controller's.
const defaultPort = 17170

// DefaultModel is the model that up makes.
const DefaultModel model.ModelName = "default"

type upOptions struct {
	places   func() Places
	provider string
	base     string
	port     int
	health   int
	given    func(flag string) bool // on the command line
	out      io.Writer
}

func up(places func() Places) *cobra.Command {
	o := upOptions{places: places}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a controller and a host agent on this host",
		Long: `Start a controller and a host agent on this host, under a supervisor of
their own that restarts them. What is there is kept: up after a crash, a
reboot or a down carries on with every machine and its disk.

up says which provider of machines it chooses and why: sandbox machines
(namespaces) for root on Linux, else loopback machines (processes).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.out, o.given = cmd.OutOrStdout(), cmd.Flags().Changed
			if err := o.validate(); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&o.provider, "provider", "", "what makes machines: sandbox or loopback (default: what suits this host)")
	cmd.Flags().StringVar(&o.base, "base", "", "what a sandbox machine shows: debian or host (default: debian where it can be built)")
	cmd.Flags().IntVar(&o.port, "port", defaultPort, "port of the controller")
	cmd.Flags().IntVar(&o.health, "health-port", 0, "port on 127.0.0.1 of /healthz and /readyz; -1 for none (default: the one above --port)")
	return cmd
}

func (o upOptions) run(ctx context.Context) error {
	p, began := o.places(), time.Now()
	if err := p.make(); err != nil {
		return err
	}
	if free := freeMiB(p.State); free < leastFreeMiB {
		return fmt.Errorf("%s has %d MiB free, less than %d: free some space: %w", p.State, free, leastFreeMiB, model.ErrUnavailable)
	}
	install, err := o.install(p)
	if err != nil {
		return err
	}
	if err := p.lost(install); err != nil {
		return err
	}
	fmt.Fprintf(o.out, "up: %s\n", historyIn(ctx))
	if err := startSupervisor(ctx, p); err != nil {
		return err
	}
	supervisor := supervise.Dial(p.socket())
	if err := startRole(ctx, supervisor, p, install, "controller"); err != nil {
		return err
	}
	if err := startControllers(ctx, p, install); err != nil {
		return err
	}
	info, err := awaitController(ctx, p)
	if err != nil {
		return err
	}
	if install.Controller == "" {
		o.forgetModel()
		install.Controller = info.ID
		if err := p.saveInstall(install); err != nil {
			return err
		}
	}
	if err := startRole(ctx, supervisor, p, install, "host-agent"); err != nil {
		return err
	}
	fmt.Fprintf(o.out, "up: controller %s answers on port %d after %.1f s, model %q is ready\n", info.Version, install.Port, time.Since(began).Seconds(), DefaultModel)
	return nil
}

// forgetModel leaves behind the model that was chosen on an earlier install: a
// new controller has only the default one.
func (o upOptions) forgetModel() {
	if was, err := cli.ForgetModel(os.Getenv); err != nil {
		fmt.Fprintf(o.out, "up: the model that gantry switch chose is not forgotten: %v\n", err)
	} else if was != "" {
		fmt.Fprintf(o.out, "up: model %s, chosen on an earlier install, is forgotten: commands work in %s\n", was, DefaultModel)
	}
}

// install is what an earlier up chose, or a choice made now and said.
func (o upOptions) install(p Places) (Install, error) {
	chosen, err := p.loadInstall()
	if err == nil {
		if o.provider != "" && o.provider != chosen.Provider {
			return chosen, fmt.Errorf("%s has %s machines: run gantry down --destroy first, or give another --state-dir: %w", p.State, chosen.Provider, model.ErrConflict)
		}
		if err := o.keeps(chosen); err != nil {
			return chosen, err
		}
		fmt.Fprintf(o.out, "up: %s machines, as before\n", chosen.Provider)
		if lack := sandbox.DroppedForwarding(); lack != "" && chosen.Provider == "sandbox" {
			fmt.Fprintf(o.out, "up: lacking: %s\n", lack)
		}
		return chosen, nil
	}
	if !errors.Is(err, model.ErrNotFound) {
		return chosen, err
	}
	c := provider.Choose(sandbox.Detect(p.State))
	if o.provider != "" && o.provider != c.Provider {
		c = provider.Choice{Provider: o.provider, Base: c.Base, Reasons: []string{"asked for"}}
	}
	if o.base != "" {
		c.Base = o.base
	}
	what := c.Provider
	if c.Provider == "sandbox" {
		what += " machines over the base " + c.Base
	}
	fmt.Fprintf(o.out, "up: %s: ", what)
	for i, reason := range c.Reasons {
		if i > 0 {
			fmt.Fprint(o.out, "; ")
		}
		fmt.Fprint(o.out, reason)
	}
	fmt.Fprintln(o.out)
	for _, lack := range c.Lacks {
		fmt.Fprintf(o.out, "up: lacking: %s\n", lack)
	}
	chosen = Install{Provider: c.Provider, Base: c.Base, Port: o.port, Health: o.health}
	if err := chosen.free(); err != nil {
		return chosen, err
	}
	return chosen, p.saveInstall(chosen)
}

// startSupervisor makes sure that this host's supervisor answers.
func startSupervisor(ctx context.Context, p Places) error {
	client := supervise.Dial(p.socket())
	if _, err := client.List(ctx); err == nil {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(p.log("supervisor"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(self, superviseCommand, "--state-dir", p.State)
	cmd.Stdout, cmd.Stderr, cmd.Env, cmd.Dir = log, log, environment(), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // it outlives this command and its terminal
	if err := inheritNothing(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the supervisor: %w", err)
	}
	return poll(ctx, 10*time.Second, "the supervisor to answer; see "+p.log("supervisor"), func(ctx context.Context) error {
		var status syscall.WaitStatus
		if ended, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WNOHANG, nil); err == nil && ended == cmd.Process.Pid {
			return fatal{fmt.Errorf("the supervisor ended with exit code %d; see %s: %w", status.ExitStatus(), p.log("supervisor"), model.ErrUnavailable)}
		}
		_, err := client.List(ctx)
		return err
	})
}

// inheritNothing has the processes that this one starts get no open file that
// was passed to it: `flock LOCK gantry up` would hold the lock until down.
// Kernels before 5.11 cannot do it; there it is as it was.
func inheritNothing() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	return err
}

// startRole makes sure that a role runs under the supervisor.
func startRole(ctx context.Context, s *supervise.Client, p Places, i Install, role string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	binary, err := os.Stat(self)
	if err != nil {
		return err
	}
	spec := supervise.Spec{
		ID: "gantry/" + role, Command: []string{self, role, "--state-dir", p.State},
		// A newer binary at the same place is another spec, so that up upgrades,
		// and so is a controller that was restored or is reached elsewhere.
		Env: append(environment(), fmt.Sprintf("GANTRY_BUILD=%x-%x", binary.Size(), binary.ModTime().UnixNano()),
			fmt.Sprintf("GANTRY_PORT=%d", i.Port), "GANTRY_EPOCH="+i.Epoch, "GANTRY_ADVERTISE="+i.Advertise),
		LogFile: p.log(role), StopTimeout: 20 * time.Second,
	}
	spec.Env = append(spec.Env, traced(os.Getenv)...)
	if _, err = s.Start(ctx, spec); errors.Is(err, model.ErrConflict) {
		_, err = s.Restart(ctx, spec) // another binary than before
	}
	if err != nil {
		return fmt.Errorf("start the %s; see %s: %w", role, p.log(role), err)
	}
	return nil
}

// awaitController waits until the controller answers its operator, and makes
// the first model.
func awaitController(ctx context.Context, p Places) (info operator.ControllerInfo, err error) {
	err = poll(ctx, 20*time.Second, "the controller to answer; see "+p.log("controller"), func(ctx context.Context) error {
		identity, err := client.Load(p.AdminContext())
		if err != nil {
			return err
		}
		c, err := client.Dial(identity)
		if err != nil {
			return err
		}
		defer c.Close()
		if info, err = c.Info(ctx); err != nil {
			return err
		}
		_, err = c.AddModel(ctx, operator.AddModel{Name: DefaultModel, Change: operator.Change{Key: "up/default-model"}})
		if errors.Is(err, model.ErrConflict) {
			return nil
		}
		return err
	})
	return info, err
}

// fatal is an error that trying again does not mend.
type fatal struct{ error }

// pollInterval is short against the two seconds that up may take.
const pollInterval = 20 * time.Millisecond

// poll tries until it succeeds, for at most the given time.
func poll(ctx context.Context, limit time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try(ctx)
		var final fatal
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, err)
		case <-time.After(pollInterval):
		}
	}
}
