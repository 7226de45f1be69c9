package loopback

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// missingPackages says which packages the host lacks and how to install them,
// or nothing. A machine without privileges cannot do it by itself.
func missingPackages(ctx context.Context, packages []string) string {
	if len(packages) == 0 {
		return ""
	}
	names := make([]string, len(packages))
	for i, p := range packages {
		names[i], _, _ = strings.Cut(p, "=")
	}
	// It fails where one is unknown, and prints the others nevertheless.
	query := exec.CommandContext(ctx, "dpkg-query", append([]string{"-W", "-f", `${Package} ${Version} ${db:Status-Status}\n`, "--"}, names...)...)
	out, _ := query.Output()
	return describeMissing(packages, string(out))
}

// describeMissing compares packages with what dpkg-query printed.
func describeMissing(packages []string, installed string) string {
	have := map[string]bool{}
	for line := range strings.Lines(installed) {
		if f := strings.Fields(line); len(f) == 3 && f[2] == "installed" {
			have[f[0]], have[f[0]+"="+f[1]] = true, true
		}
	}
	missing := slices.DeleteFunc(slices.Clone(packages), func(p string) bool { return have[p] })
	if len(missing) == 0 {
		return ""
	}
	list := strings.Join(missing, " ")
	return fmt.Sprintf("the host lacks packages, run: sudo apt-get install --no-install-recommends %s", list)
}
