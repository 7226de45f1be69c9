package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/gantry-orchestrator/gantry/engine/provider"
)

// archives is where a build sees the cache of .deb files. It is not apt's own
// place, which some images empty after each package.
const archives = "/var/cache/gantry/archives"

// buildScript installs the packages that are its arguments. Fetching is one
// build at a time, as the cache is shared; installing is not, as the root is
// not. The lists are fetched again after six hours.
const buildScript = `set -eu
apt="apt-get -y -q -o DPkg::Lock::Timeout=300 -o APT::Sandbox::User=root -o Dir::Cache::Archives=` + archives + ` -o APT::Keep-Downloaded-Packages=true -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Dpkg::Use-Pty=0 --no-install-recommends"
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
mkdir -p ` + archives + `/partial
exec 9>` + archives + `/gantry.lock
flock 9
if [ -z "$(find /var/lib/apt/lists/gantry.stamp -mmin -360 2>/dev/null)" ]; then
	$apt update
	touch /var/lib/apt/lists/gantry.stamp
fi
$apt --download-only install "$@" || { $apt update && $apt --download-only install "$@"; }
exec 9>&-
$apt -o Debug::NoLocking=true -o Dpkg::Options::=--force-confold --no-download install "$@"
`

// buildOrders is what a build does in its private root.
type buildOrders struct {
	Disk     disk
	Binds    []provider.Mount
	Resolv   string
	Packages []string
}

// layer returns the layer of packages over a base, and builds it where it is
// missing. It is kept for as long as the directory of its user is there. Its
// key is the base and the packages, in any order; one that was built for the
// same packages in no particular version does where it holds the right ones.
func (m images) layer(ctx context.Context, b base, packages []string, user string) (string, error) {
	packages = slices.Compact(slices.Sorted(slices.Values(packages)))
	for {
		dir := m.layerDir(b, packages)
		if plain := m.layerDir(b, names(packages)); plain != dir && holds(filepath.Join(plain, "root"), packages) {
			dir = plain
		} else if err := m.once(ctx, dir, func(partial string, lock *os.File) error {
			return m.buildLayer(ctx, partial, lock, b, packages)
		}); err != nil {
			return "", fmt.Errorf("layer of packages %v: %w", packages, err)
		}
		// It may have been collected meanwhile.
		if used, err := m.use(ctx, dir, user); used || err != nil {
			return filepath.Join(dir, "root"), err
		}
	}
}

func (m images) layerDir(b base, packages []string) string {
	return filepath.Join(m.layers(), digest(append([]string{b.key}, packages...)...))
}

func names(packages []string) []string {
	var all []string
	for _, p := range packages {
		name, _, _ := strings.Cut(p, "=")
		all = append(all, name)
	}
	return all
}

// holds reports whether the packages of a root are those, where a version is
// given in that.
func holds(root string, packages []string) bool {
	status, err := os.ReadFile(filepath.Join(root, "var/lib/dpkg/status"))
	if err != nil {
		return false
	}
	installed := map[string]string{}
	for paragraph := range strings.SplitSeq(string(status), "\n\n") {
		var name, version string
		for line := range strings.Lines(paragraph) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch key {
			case "Package":
				name = value
			case "Version":
				version = value
			}
		}
		installed[name] = version
	}
	return !slices.ContainsFunc(packages, func(p string) bool {
		name, version, pinned := strings.Cut(p, "=")
		return installed[name] == "" || pinned && installed[name] != version
	})
}

func (m images) buildLayer(ctx context.Context, dir string, lock *os.File, b base, packages []string) error {
	root := filepath.Join(dir, "root")
	hide, err := m.hide(b.lower)
	if err != nil {
		return err
	}
	d := disk{Lower: b.lower, Hide: hide, Upper: root, Work: filepath.Join(dir, "work"), Mountpoint: filepath.Join(dir, "mountpoint")}
	if err := makeDisk(d); err != nil {
		return err
	}
	lists := filepath.Join(m.cache, "lists", b.key)
	shared := filepath.Join(m.cache, "archives")
	for _, dir := range []string{filepath.Join(lists, "partial"), shared} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	m.progress(provider.Progress{Phase: "layer", Detail: fmt.Sprintf("installing %v", packages)})
	err = m.runBuilder(ctx, lock, buildOrders{
		Disk: d, Resolv: resolvConf(), Packages: packages,
		Binds: []provider.Mount{{Host: lists, Inside: "/var/lib/apt/lists"}, {Host: shared, Inside: archives}},
	})
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(d.Work), os.RemoveAll(d.Mountpoint))
}

// runBuilder runs a build in namespaces of its own, which end whatever its
// packages started.
func (m images) runBuilder(ctx context.Context, lock *os.File, orders buildOrders) error {
	log := m.buildLog("layer")
	c, err := spawn(stageBuild, func(cmd *exec.Cmd) {
		cmd.Dir, cmd.Env = "/", environ()
		cmd.Stdout, cmd.Stderr = log, log
		cmd.ExtraFiles = append(cmd.ExtraFiles, lock)
		const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Setsid: true}
	})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() })
	defer stop()
	err = c.command(orders)
	if err = errors.Join(err, c.cmd.Wait()); err != nil {
		return log.explain(ctx, "apt-get install", err)
	}
	return nil
}

// runBuild becomes the build script in a private root.
func runBuild(o buildOrders) error {
	if err := o.Disk.enter(); err != nil {
		return err
	}
	if err := mountKernel(); err != nil {
		return err
	}
	for _, b := range o.Binds {
		if err := bind(filepath.Join(oldRoot, b.Host), b.Inside, 0); err != nil {
			return err
		}
	}
	if err := leaveHost(); err != nil {
		return err
	}
	file := orderedFile{Path: "/etc/resolv.conf", Content: []byte(o.Resolv), Mode: 0o644}
	if err := file.write(); err != nil {
		return err
	}
	argv := append([]string{"/bin/sh", "-c", buildScript, "build"}, o.Packages...)
	if err := unix.Exec(argv[0], argv, environ("DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true")); err != nil {
		return fmt.Errorf("run the build: %w", err)
	}
	return nil
}
