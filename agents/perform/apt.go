package perform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Apt installs packages of Debian and its kin. It never upgrades or downgrades
// what is installed.
type Apt struct {
	// Run runs a command as root; Command.Run outside tests.
	Run func(ctx context.Context, c Command) (Output, error)
	// Superuser: the agent may install. Without it a missing package is
	// refused with the command that an operator may run.
	Superuser bool
	// OwnMachine: the machine is ours whole, so packages are kept from
	// starting services of their own.
	OwnMachine bool
	// Root is "/" but in tests.
	Root string
	Now  func() time.Time
}

// indexAge is the age at which apt's lists count as stale.
const indexAge = 24 * time.Hour

var aptOptions = []string{
	"-o", "DPkg::Lock::Timeout=120",
	"-o", "Dpkg::Options::=--force-confdef",
	"-o", "Dpkg::Options::=--force-confold",
	"-o", "APT::Get::Upgrade=false",
	"-q", "-y",
}

// Version is the installed version of a package, empty where it is not
// installed.
func (a Apt) Version(ctx context.Context, name string) (string, error) {
	all, err := a.versions(ctx, name)
	return all[name], err
}

// versions are those of the named packages that are installed; of a foreign
// architecture by name:arch.
func (a Apt) versions(ctx context.Context, names ...string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	argv := []string{"dpkg-query", "--show", "--showformat", "${db:Status-Status} ${binary:Package} ${Package} ${Version}\n", "--"}
	out, err := a.Run(ctx, Command{Argv: append(argv, names...)})
	if err != nil {
		return nil, fmt.Errorf("look up installed packages: %w", err)
	}
	if err := out.failure("look up installed packages"); err != nil && out.Code != 1 { // 1: some are not known at all
		return nil, err
	}
	found := map[string]string{}
	for line := range strings.Lines(out.Stdout) {
		f := strings.Fields(line)
		if len(f) != 4 || f[0] != "installed" {
			continue
		}
		found[f[1]] = f[3]
		if _, there := found[f[2]]; !there {
			found[f[2]] = f[3]
		}
	}
	return found, nil
}

// Plan refuses what Install would refuse, and names the packages that it
// would add, the package itself and its dependencies: the data that undoes it.
func (a Apt) Plan(ctx context.Context, name, version string) (adds []string, err error) {
	have, err := a.Version(ctx, name)
	if err != nil {
		return nil, err
	}
	if have != "" && version != "" && have != version {
		return nil, fmt.Errorf("package %s is installed in version %s, and %s is wanted: Gantry never changes an installed version; do so by hand, or reset the recorded one: %w", name, have, version, model.ErrConflict)
	}
	if have != "" {
		return nil, nil
	}
	if !a.Superuser {
		return nil, fmt.Errorf("package %s is missing and the agent is not root; run: sudo apt-get install --no-upgrade -y %s: %w", name, pinned(name, version), model.ErrDenied)
	}
	if err := a.update(ctx, false); err != nil {
		return nil, err
	}
	adds, err = a.simulate(ctx, "install", pinned(name, version))
	if err != nil && ctx.Err() == nil { // the lists may be behind the archive
		if fresh := a.update(ctx, true); fresh != nil {
			return nil, errors.Join(err, fresh)
		}
		adds, err = a.simulate(ctx, "install", pinned(name, version))
	}
	if err != nil && version != "" && ctx.Err() == nil {
		if _, other := a.simulate(ctx, "install", name); other == nil {
			return nil, fmt.Errorf("package %s: the archive offers another version than %s, which the application's members have: let it offer that one (a mirror or snapshot), or install it here by hand: %w", name, version, model.ErrConflict)
		}
	}
	return adds, err
}

// Install installs exactly this version, or the archive's candidate where
// version is empty. A package that is installed stays as it is.
func (a Apt) Install(ctx context.Context, name, version string) error {
	have, err := a.Version(ctx, name)
	if err != nil || have != "" {
		return err
	}
	return a.install(ctx, pinned(name, version))
}

func pinned(name, version string) string {
	if version == "" {
		return name
	}
	return name + "=" + version
}

// simulate names the packages that an install would add, or a purge would
// remove.
func (a Apt) simulate(ctx context.Context, verb string, names ...string) ([]string, error) {
	argv := slices.Concat([]string{"apt-get", verb, "--simulate", "--no-install-recommends"}, aptOptions, []string{"--"}, names)
	out, err := a.run(ctx, verb+" "+strings.Join(names, " "), argv)
	if err != nil {
		return nil, err
	}
	var named []string
	for line := range strings.Lines(out.Stdout) {
		f := strings.Fields(line)
		if len(f) > 1 && (f[0] == "Inst" || f[0] == "Purg" || f[0] == "Remv") {
			named = append(named, f[1])
		}
	}
	slices.Sort(named)
	return slices.Compact(named), nil
}

func (a Apt) install(ctx context.Context, wanted string) error {
	restore, err := a.quieten()
	if err != nil {
		return err
	}
	argv := slices.Concat([]string{"apt-get", "install", "--no-upgrade", "--no-install-recommends"}, aptOptions, []string{"--", wanted})
	return errors.Join(a.apt(ctx, "install "+wanted, argv), restore())
}

func (a Apt) apt(ctx context.Context, what string, argv []string) error {
	_, err := a.run(ctx, what, argv)
	return err
}

func (a Apt) run(ctx context.Context, what string, argv []string) (Output, error) {
	out, err := a.Run(ctx, Command{Argv: argv, Env: map[string]string{
		"DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "NEEDRESTART_MODE": "l",
	}})
	if err != nil {
		return out, fmt.Errorf("%s: %w", what, err)
	}
	if err := out.failure(what); err != nil {
		return out, fmt.Errorf("%w; see that the archive is in reach and has it (apt-cache policy): %w", err, model.ErrUnavailable)
	}
	return out, nil
}

// update fetches the lists where they are stale, or in any case when forced.
func (a Apt) update(ctx context.Context, force bool) error {
	if !force && a.listsAge() < indexAge {
		return nil
	}
	return a.apt(ctx, "update the package lists", slices.Concat([]string{"apt-get", "update"}, aptOptions))
}

// listsAge is the age of apt's lists; very old where there are none.
func (a Apt) listsAge() time.Duration {
	lists, err := filepath.Glob(filepath.Join(a.Root, "var/lib/apt/lists/*_*"))
	if err != nil || len(lists) == 0 {
		return 10 * 365 * 24 * time.Hour
	}
	var newest time.Time
	for _, path := range append(lists, filepath.Join(a.Root, "var/lib/apt/lists")) {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return a.Now().Sub(newest)
}

// quieten keeps packages from starting services while they are installed, on
// machines of our own. A policy of somebody else is left as it is.
func (a Apt) quieten() (restore func() error, err error) {
	path := filepath.Join(a.Root, "usr/sbin/policy-rc.d")
	if _, err := os.Lstat(path); !a.OwnMachine || err == nil {
		return func() error { return nil }, nil
	}
	owner := account{UID: os.Geteuid(), GID: os.Getegid()}
	if err := replaceFile(path, []byte("#!/bin/sh\nexit 101\n"), 0o755, owner); err != nil {
		return nil, fmt.Errorf("keep packages from starting services: %w", err)
	}
	return func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("allow packages to start services again: %w", err)
		}
		return nil
	}, nil
}

// Remove purges those of the packages that an install added which nothing
// else uses. Where apt would take others with them, all are left.
func (a Apt) Remove(ctx context.Context, adds []string, used func(name string) bool) (left []string, err error) {
	present, err := a.versions(ctx, adds...)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range adds {
		if present[name] != "" && !used(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 || !a.Superuser {
		return nil, nil
	}
	going, err := a.simulate(ctx, "purge", names...)
	if err != nil {
		return nil, err
	}
	for _, name := range going {
		if !slices.Contains(names, name) {
			return []string{"packages " + strings.Join(names, " ") + ": " + name + " needs them"}, nil
		}
	}
	argv := slices.Concat([]string{"apt-get", "purge"}, aptOptions, []string{"--"}, names)
	return nil, a.apt(ctx, "remove "+strings.Join(names, " "), argv)
}
