package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// lockGoal puts what a project needs at run time into a directory, in the
// layout of a repository, which says what each file is.
const lockGoal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

func newCharmLock(sh *shell) *cobra.Command {
	var settings string
	cmd := &cobra.Command{
		Use:   "lock NAME VERSION GROUP:ARTIFACT:VERSION...",
		Short: "Write a lock of Java software: all that it needs, with hashes",
		Long: "Resolve Maven coordinates with mvn, once, and print a lock file with the sha256 and size of every file that they\n" +
			"need at run time. A charm embeds it, so that nothing is resolved when it is deployed.",
		Example: "  gantry charm lock kafka 4.1.1 org.apache.kafka:kafka_2.13:4.1.1 > kafka.lock.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 3 {
				return fmt.Errorf("charm lock: expected a name, a version and coordinates: %w", model.ErrInvalid)
			}
			return sh.lockSoftware(cmd.Context(), args[0], args[1], args[2:], settings)
		},
	}
	cmd.Flags().StringVar(&settings, "settings", "", "settings file for Maven, where a dependency names a repository that is not in reach")
	return cmd
}

// lockSoftware prints a lock, which reads back as it was meant.
func (sh *shell) lockSoftware(ctx context.Context, name, version string, coordinates []string, settings string) error {
	dir, err := os.MkdirTemp("", "gantry-lock-")
	if err != nil {
		return fmt.Errorf("charm lock: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := writeProject(filepath.Join(dir, "pom.xml"), coordinates); err != nil {
		return err
	}
	files := filepath.Join(dir, "files")
	args := []string{"-B", "-q", lockGoal, "-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true", "-DoutputDirectory=" + files}
	if settings != "" {
		path, err := filepath.Abs(settings)
		if err != nil {
			return fmt.Errorf("charm lock: %w", err)
		}
		args = append(args, "--settings", path)
	}
	tool := exec.CommandContext(ctx, "mvn", args...)
	tool.Dir, tool.Stdout, tool.Stderr = dir, sh.Stderr, sh.Stderr
	if err := tool.Run(); err != nil {
		return fmt.Errorf("charm lock: mvn: %w: %w", err, model.ErrUnavailable)
	}
	jars, err := jarsIn(files)
	if err != nil {
		return fmt.Errorf("charm lock: %w", err)
	}
	var lock strings.Builder
	fmt.Fprintf(&lock, "name: %s\nversion: %s\njars:\n", name, version)
	for _, j := range jars {
		fmt.Fprintf(&lock, "  - {coordinates: %s, sha256: %q, size: %d}\n", j.Coordinates, j.SHA256, j.Size)
	}
	if _, err := charm.ParseLock(name+".lock.yaml", []byte(lock.String())); err != nil {
		return err
	}
	_, err = io.WriteString(sh.Stdout, lock.String())
	return err
}

// mavenProject is a Maven project that has nothing but dependencies.
type mavenProject struct {
	XMLName      xml.Name          `xml:"http://maven.apache.org/POM/4.0.0 project"`
	Model        string            `xml:"modelVersion"`
	Group        string            `xml:"groupId"`
	Artifact     string            `xml:"artifactId"`
	Version      string            `xml:"version"`
	Package      string            `xml:"packaging"`
	Dependencies []mavenDependency `xml:"dependencies>dependency"`
}

type mavenDependency struct {
	Group      string `xml:"groupId"`
	Artifact   string `xml:"artifactId"`
	Version    string `xml:"version"`
	Classifier string `xml:"classifier,omitempty"`
}

func writeProject(path string, coordinates []string) error {
	p := mavenProject{Model: "4.0.0", Group: "gantry", Artifact: "lock", Version: "1", Package: "pom"}
	for _, c := range coordinates {
		parts := strings.Split(c, ":")
		if len(parts) < 3 || len(parts) > 4 {
			return fmt.Errorf("charm lock: %q: expected group:artifact:version or group:artifact:version:classifier: %w", c, model.ErrInvalid)
		}
		d := mavenDependency{Group: parts[0], Artifact: parts[1], Version: parts[2]}
		if len(parts) == 4 {
			d.Classifier = parts[3]
		}
		p.Dependencies = append(p.Dependencies, d)
	}
	b, err := xml.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

// jarsIn are the jars below a directory in the layout of a repository:
// group/parts/artifact/version/artifact-version[-classifier].jar.
func jarsIn(root string) (jars []software.Jar, err error) {
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".jar" {
			return err
		}
		inside, err := filepath.Rel(root, path)
		parts := strings.Split(filepath.ToSlash(inside), "/")
		if err != nil || len(parts) < 4 {
			return errors.Join(err, fmt.Errorf("%s is not in the layout of a repository: %w", inside, model.ErrInvalid))
		}
		n := len(parts)
		artifact, version := parts[n-3], parts[n-2]
		j := software.Jar{Coordinates: strings.Join([]string{strings.Join(parts[:n-3], "."), artifact, version}, ":")}
		rest := strings.TrimPrefix(strings.TrimSuffix(parts[n-1], ".jar"), artifact+"-"+version)
		if classifier, has := strings.CutPrefix(rest, "-"); has {
			j.Coordinates += ":" + classifier
		}
		j.SHA256, j.Size, err = measure(path)
		jars = append(jars, j)
		return err
	})
	slices.SortFunc(jars, func(a, b software.Jar) int { return strings.Compare(a.Coordinates, b.Coordinates) })
	return jars, err
}

func measure(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
