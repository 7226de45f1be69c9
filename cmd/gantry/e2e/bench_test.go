package e2e

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// runs is how often a benchmark of minutes is repeated.
var runs = flag.Int("runs", 5, "repetitions of the benchmarks that compare with a script")

// idle is how long an install is left alone before its memory is read.
var idle = flag.Duration("idle", time.Minute, "how long to wait before memory is read")

// Each of these benchmarks prints figures and means nothing by its ns/op; run
// them with -benchtime 1x.

func BenchmarkUpToReady(b *testing.B) {
	var took []float64
	for range *runs {
		in := prepare(b)
		took = append(took, in.up(b).took.Seconds())
		in.patient(b, commandLimit, "down", "--destroy")
	}
	figure("gantry up to ready on a fresh directory, median", median(took), "s", "goal under 2 s")
}

func BenchmarkPlanOfFiveHundredUnits(b *testing.B) {
	in := open(b)
	var text strings.Builder
	text.WriteString("applications:\n")
	for i := range 25 {
		fmt.Fprintf(&text, "  light%d: {charm: beacon, num_units: 20}\n", i)
	}
	path := filepath.Join(b.TempDir(), "bundle.yaml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	var took []float64
	for range *runs {
		r := in.run(commandLimit, "plan", path)
		if r.code != 2 {
			b.Fatalf("plan: exit %d\n%s", r.code, r.err)
		}
		took = append(took, r.took.Seconds())
	}
	figure("plan of a bundle of 500 beacons, command to answer, median", median(took), "s", "goal under 1 s")
}

func BenchmarkMachinesASecond(b *testing.B) {
	in := open(b)
	w := workspace{in: in, name: "default"}
	w.gantry(b, "deploy", "beacon") // the base is there from now on
	w.converge(b, 10*time.Minute)
	const machines = 20
	began := time.Now()
	w.gantry(b, "deploy", "beacon", "many", "-n", strconv.Itoa(machines))
	w.converge(b, 10*time.Minute)
	took := time.Since(began).Seconds()
	figure("machines made, joined and serving one beacon each", machines/took, "machines/s", fmt.Sprintf("no goal; %d in %.1f s", machines, took))
}

func BenchmarkTwoHundredBeacons(b *testing.B) {
	in := open(b)
	w := workspace{in: in, name: "default"}
	w.gantry(b, "deploy", "beacon", "first")
	w.converge(b, 10*time.Minute)
	m := machineOf(b, w.status(b), "first/0")
	before := total(m.memory())
	const units = 200
	to := strings.TrimSuffix(strings.Repeat(m.name+",", units), ",")
	began := time.Now()
	w.gantry(b, "deploy", "beacon", "many", "-n", strconv.Itoa(units), "--config", "interval=0", "--to", to)
	w.converge(b, 5*time.Minute)
	figure("200 beacons on one machine, deploy to all running", time.Since(began).Seconds(), "s", "goal under 4 s")
	figure("memory of one of 200 beacons with its share of all Gantry runs there", (total(m.memory())-before)/units, "MB", "goal under 10 MB")
}

func BenchmarkIdleMemory(b *testing.B) {
	in := open(b)
	a := workspace{in: in, name: "default"}.deploy(b)
	time.Sleep(*idle)
	for _, role := range []struct{ name, goal string }{
		{"controller", "goal under 60 MB"}, {"host-agent", "no goal"}, {"supervise", "no goal"},
	} {
		figure("idle "+role.name+" of the host, PSS", pss(in.role(b, role.name).pid), "MB", role.goal)
	}
	worst := map[string]float64{}
	for _, m := range a.byName(b) {
		for role, mb := range m.memory() {
			worst[role] = max(worst[role], mb)
		}
	}
	for role, goal := range map[string]string{"agent": "goal under 25 MB", "supervisor": "no goal", "charms": "no goal"} {
		figure("idle "+role+" of a machine, the largest, PSS", worst[role], "MB", goal)
	}
}

// memory is the PSS in MB of what Gantry runs on a machine, by role, and of
// its services.
func (m machine) memory() map[string]float64 {
	sum := map[string]float64{}
	for _, p := range m.processes() {
		role := "services"
		switch {
		case isAgent(p):
			role = "agent"
		case len(p.args) > 1 && p.args[1] == "supervise":
			role = "supervisor"
		case len(p.args) > 1 && p.args[1] == "charm-exec" && p.service() == "":
			role = "charms"
		}
		sum[role] += pss(p.pid)
	}
	return sum
}

func total(parts map[string]float64) (sum float64) {
	for _, mb := range parts {
		sum += mb
	}
	return sum
}

// pss is a process's proportional share of memory in MB, 0 once it has ended.
func pss(pid int) float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb float64
		if _, err := fmt.Sscanf(lines.Text(), "Pss: %f kB", &kb); err == nil {
			return kb / 1000
		}
	}
	return 0
}

// BenchmarkBundleAgainstScript alternates the bundle with a hand-written
// parallel script that does the same on machines of the same disks.
func BenchmarkBundleAgainstScript(b *testing.B) {
	in := open(b)
	var ours, script, ratio []float64
	for i := range *runs + 1 {
		w := in.model(b, fmt.Sprintf("run%d", i))
		began := time.Now()
		w.gantry(b, "apply", bundleFile)
		w.converge(b, convergenceTime)
		took := time.Since(began).Seconds()
		s := w.status(b)
		pg, client := in.layers(b, machineOf(b, s, "postgresql/0")), in.layers(b, machineOf(b, s, "telemetry/0"))
		in.patient(b, 5*time.Minute, "destroy-model", w.name, "-y", "--destroy-storage", "--wait", "--timeout", "4m")
		if i == 0 {
			continue // what fills the cache is not compared
		}
		ours = append(ours, took)
		script = append(script, bundleByHand(b, pg, client))
		ratio = append(ratio, took/script[len(script)-1])
		b.Logf("run %d: %.1f s against %.1f s", i, took, script[len(script)-1])
	}
	figure("bundle to converged, median", median(ours), "s", "the script's time")
	figure("hand-written parallel script, median", median(script), "s", "the workload's own time")
	figure("bundle against script, median ratio", median(ratio), "x", "goal at most 1.1 x")
}

// layers are the directories below a machine's disk, the uppermost first.
func (in *install) layers(b *testing.B, m machine) []string {
	b.Helper()
	text, err := os.ReadFile(filepath.Dir(m.files(b)) + "/mounts")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); fields[1] == "/" {
			for option := range strings.SplitSeq(fields[3], ",") {
				if lower, ok := strings.CutPrefix(option, "lowerdir="); ok {
					return strings.Split(lower, ":")
				}
			}
		}
	}
	b.Fatalf("machine %s has no overlay at /: %s", m.name, text)
	return nil
}

func bundleByHand(b *testing.B, pg, client []string) float64 {
	b.Helper()
	if len(pg) < 2 || len(client) < 2 {
		b.Fatalf("machines without a layer of packages: %v, %v", pg, client)
	}
	dir, err := os.MkdirTemp("/var/tmp", "gantry-e2e-script-")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(dir)
	script, err := filepath.Abs("testdata/bundle.sh")
	if err != nil {
		b.Fatal(err)
	}
	out, err := exec.Command("timeout", "300", script, dir, pg[len(pg)-1], pg[0], client[0], binary).Output()
	if err != nil {
		b.Fatalf("%s: %v: %s", script, err, out)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return seconds
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
