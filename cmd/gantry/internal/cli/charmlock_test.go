package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gantry-orchestrator/gantry/model/charm"
)

// fakeMaven puts two jars where it is told to, as a repository has them.
const fakeMaven = `#!/bin/sh
grep -q '<artifactId>kafka_2.13</artifactId>' pom.xml || exit 1
for a in "$@"; do case "$a" in -DoutputDirectory=*) out="${a#-DoutputDirectory=}" ;; esac; done
mkdir -p "$out/org/apache/kafka/kafka_2.13/4.1.1" "$out/io/netty/netty/1"
printf kafka >"$out/org/apache/kafka/kafka_2.13/4.1.1/kafka_2.13-4.1.1.jar"
printf netty >"$out/io/netty/netty/1/netty-1-linux-x86_64.jar"
`

func TestALockHasEveryFileThatMavenFoundWithItsHash(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "mvn"), []byte(fakeMaven), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	var out strings.Builder
	sh := &shell{Config: Config{Stdout: &out, Stderr: t.Output()}}
	if err := sh.lockSoftware(t.Context(), "kafka", "4.1.1", []string{"org.apache.kafka:kafka_2.13:4.1.1"}, ""); err != nil {
		t.Fatal(err)
	}
	l, err := charm.ParseLock("lock", []byte(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	if l.Name != "kafka" || l.Version != "4.1.1" || len(l.Jars) != 2 {
		t.Fatalf("%s", out.String())
	}
	if j := l.Jars[0]; j.Coordinates != "io.netty:netty:1:linux-x86_64" || j.Size != 5 {
		t.Errorf("%+v", j)
	}
	const kafka = "cbbf241eebedba6fd5e657b3c560fc9dd63c0d3e0de6f816be60e86157ec872c" // printf kafka | sha256sum
	if j := l.Jars[1]; j.Coordinates != "org.apache.kafka:kafka_2.13:4.1.1" || j.SHA256 != kafka {
		t.Errorf("%+v", j)
	}
}

func TestALockIsOfWholeCoordinates(t *testing.T) {
	sh := &shell{Config: Config{Stdout: t.Output(), Stderr: t.Output()}}
	if err := sh.lockSoftware(t.Context(), "kafka", "4", []string{"org.apache.kafka:kafka"}, ""); err == nil || !strings.Contains(err.Error(), "expected group:artifact:version") {
		t.Error(err)
	}
}
