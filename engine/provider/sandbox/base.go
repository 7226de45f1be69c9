package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/model"
)

const (
	debianSuite  = "bookworm"
	debianMirror = "http://deb.debian.org/debian"
)

// basePackages are what a machine needs besides Debian's required packages.
var basePackages = []string{"adduser", "ca-certificates", "iproute2", "netbase", "procps", "tzdata"}

// baseIdentity is kept beside a base, and part of the key of each layer on it.
type baseIdentity struct {
	Packages string `json:"packages"` // digest of its dpkg status
}

// debianBase is a minimal Debian, made by mmdebstrap from where the host
// itself gets its packages.
func (m images) debianBase(ctx context.Context) (base, error) {
	dir := filepath.Join(m.cache, "bases", "debian-"+debianSuite+"-"+runtime.GOARCH)
	err := m.once(ctx, dir, func(partial string, lock *os.File) error { return m.bootstrap(ctx, partial, lock) })
	if err != nil {
		return base{}, fmt.Errorf("debian base: %w", err)
	}
	var id baseIdentity
	if err := store.ReadJSON(filepath.Join(dir, "base.json"), &id); err != nil {
		return base{}, fmt.Errorf("debian base: %w", err)
	}
	return base{key: digest("debian", debianSuite, id.Packages), lower: []string{filepath.Join(dir, "root")}}, nil
}

func (m images) bootstrap(ctx context.Context, dir string, lock *os.File) error {
	tool, err := exec.LookPath("mmdebstrap")
	if err != nil {
		return fmt.Errorf("mmdebstrap is not installed: run apt-get install mmdebstrap, or take the host's own files with --base host: %w", model.ErrUnavailable)
	}
	root := filepath.Join(dir, "root")
	args := slices.Concat(
		[]string{"--mode=root", "--variant=minbase", "--include=" + strings.Join(basePackages, ",")},
		hostAptOptions(ctx), []string{debianSuite, root}, debianSources(),
	)
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.ExtraFiles = []*os.File{lock}
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	log := m.buildLog("base")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return log.explain(ctx, "mmdebstrap", err)
	}
	if err := writePolicy(root); err != nil {
		return err
	}
	status, err := os.ReadFile(filepath.Join(root, "var/lib/dpkg/status"))
	if err != nil {
		return err
	}
	return store.WriteJSON(filepath.Join(dir, "base.json"), baseIdentity{Packages: digest(string(status))})
}

// debianSources are the files of the host's apt sources, where they serve the
// suite, else Debian's own mirror.
func debianSources() []string {
	var files []string
	for _, pattern := range []string{"/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"} {
		found, _ := filepath.Glob(pattern)
		files = append(files, found...)
	}
	suite := regexp.MustCompile(`(?m)^[^#]*\b` + debianSuite + `(-security|-updates)?(\s|/|$)`)
	files = slices.DeleteFunc(files, func(path string) bool {
		text, err := os.ReadFile(path)
		return err != nil || !suite.Match(text)
	})
	if len(files) == 0 {
		return []string{debianMirror}
	}
	return files
}

// hostAptOptions are how the host reaches its sources (proxies, checks), as
// options of mmdebstrap, which keeps them in the base.
func hostAptOptions(ctx context.Context) []string {
	out, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return nil
	}
	wanted := regexp.MustCompile(`(?m)^Acquire::(https?::(Proxy|Pipeline-Depth|Timeout)[^ ]*|Check-Valid-Until|Check-Date|Retries|ForceIPv4|ForceIPv6) "[^"]+";$`)
	var options []string
	for _, line := range wanted.FindAllString(string(out), -1) {
		options = append(options, "--aptopt="+line)
	}
	return options
}
