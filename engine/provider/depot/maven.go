package depot

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/provider/internal/store"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// copyGoal copies exactly the files that it is told, in this version of the
// plugin, and resolves nothing.
const copyGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"

// project is a Maven project that has nothing but files to copy.
type project struct {
	XMLName  xml.Name `xml:"http://maven.apache.org/POM/4.0.0 project"`
	Model    string   `xml:"modelVersion"`
	Group    string   `xml:"groupId"`
	Artifact string   `xml:"artifactId"`
	Version  string   `xml:"version"`
	Package  string   `xml:"packaging"`
	Plugin   plugin   `xml:"build>plugins>plugin"`
}

type plugin struct {
	Group    string `xml:"groupId"`
	Artifact string `xml:"artifactId"`
	Items    []item `xml:"configuration>artifactItems>artifactItem"`
	Into     string `xml:"configuration>outputDirectory"`
}

type item struct {
	Group      string `xml:"groupId"`
	Artifact   string `xml:"artifactId"`
	Version    string `xml:"version"`
	Classifier string `xml:"classifier,omitempty"`
	File       string `xml:"destFileName"`
}

// copying is the project that copies jars into a directory.
func copying(into string, jars []software.Jar) ([]byte, error) {
	p := project{
		Model: "4.0.0", Group: "gantry", Artifact: "software", Version: "1", Package: "pom",
		Plugin: plugin{Group: "org.apache.maven.plugins", Artifact: "maven-dependency-plugin", Into: into},
	}
	for _, j := range jars {
		parts := strings.Split(j.Coordinates, ":")
		if len(parts) < 3 {
			return nil, fmt.Errorf("coordinates %q: %w", j.Coordinates, model.ErrInvalid)
		}
		i := item{Group: parts[0], Artifact: parts[1], Version: parts[2], File: j.File()}
		if len(parts) > 3 {
			i.Classifier = parts[3]
		}
		p.Plugin.Items = append(p.Plugin.Items, i)
	}
	return xml.MarshalIndent(p, "", "  ")
}

// fromMaven has Maven fetch jars into a directory. Its cache is kept until the
// software is whole, for a fetch that is interrupted.
func (s Depot) fromMaven(ctx context.Context, libs string, jars []software.Jar) error {
	cache := filepath.Join(s.Root, mavenCache)
	if s.Cache != "" {
		cache = s.Cache
	}
	lock, err := store.LockFile(ctx, filepath.Join(cache, lockName)) // Maven's cache is for one at a time
	if err != nil {
		return err
	}
	defer lock.Close()
	pom, err := copying(libs, jars)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(cache, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	repository := filepath.Join(cache, "repository")
	if err := s.Maven(ctx, cache, "-B", "-q", "-U", "-Dmaven.repo.local="+repository, copyGoal); err != nil {
		return err
	}
	return forget(repository, jars)
}

// forget removes jars that were copied from Maven's cache.
func forget(repository string, jars []software.Jar) error {
	var errs []error
	for _, j := range jars {
		parts := strings.Split(j.Coordinates, ":")
		errs = append(errs, os.RemoveAll(filepath.Join(repository, filepath.Join(strings.Split(parts[0], ".")...), parts[1], parts[2])))
	}
	return errors.Join(errs...)
}

// Maven reports whether this machine has Maven's client.
func Maven() bool {
	_, err := exec.LookPath("mvn")
	return err == nil
}

// RunMaven runs mvn in a directory, whole process group and all, until it or
// ctx ends. The error ends with what Maven complained of.
func RunMaven(ctx context.Context, dir string, args ...string) error {
	tool, err := exec.LookPath("mvn")
	if err != nil {
		return fmt.Errorf("maven is not installed: run apt-get install maven, or give the charm its software as an archive where it takes one: %w", model.ErrUnavailable)
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	cmd.Env = append(os.Environ(), "MAVEN_OPTS="+os.Getenv("MAVEN_OPTS")+" -Dstyle.color=never")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("maven: %s; see that its repository is in reach (~/.m2/settings.xml has mirrors and proxies): %w", complaint(said.String(), err), errors.Join(model.ErrUnavailable, ctx.Err()))
	}
	return nil
}

// complaint is the first error that Maven printed.
func complaint(said string, err error) string {
	const most = 600
	for line := range strings.Lines(said) {
		if text, is := strings.CutPrefix(line, "[ERROR] "); is {
			text = strings.TrimSpace(text)
			return text[:min(len(text), most)]
		}
	}
	said = strings.TrimSpace(said)
	return err.Error() + ": " + said[max(0, len(said)-most):]
}
