package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/packet"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/spacecraft"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/topic"
	"github.com/gantry-orchestrator/gantry/model"
)

// MaxRate is the highest rate in packets a second.
const MaxRate = 10_000

// config is the configuration file of serve, in YAML or JSON.
type config struct {
	fixed      `yaml:",inline"`
	Spacecraft uint16        `yaml:"spacecraft"`
	Rate       float64       `yaml:"rate"` // packets a second, over all APIDs
	APIDs      []packet.APID `yaml:"apids"`
	Archive    database      `yaml:"archive"`
	Topic      *brokers      `yaml:"topic"` // nil: packets go to the archive at once

	target archive.Target // Archive, with the password read
	topic  topic.Target   // Topic, with password and authority read
}

// fixed is the part of the configuration that a reload cannot change.
type fixed struct {
	Source   string        `yaml:"source"`   // marks the rows: one writer, one source
	Ledger   string        `yaml:"ledger"`   // file
	Listen   string        `yaml:"listen"`   // host:port of the metrics
	Archiver string        `yaml:"archiver"` // host:port of the archiver's metrics
	Workers  int           `yaml:"workers"`  // sessions with the archive
	Queue    int           `yaml:"queue"`    // packets kept while the archive is away
	Timeout  time.Duration `yaml:"timeout"`  // of one exchange with the archive
	Grace    time.Duration `yaml:"grace"`    // to finish what is queued when told to stop
}

// database is where the archive is.
type database struct {
	Endpoints    []string `yaml:"endpoints"` // host:port
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password-file"` // empty: no password
	Database     string   `yaml:"database"`
	TLS          string   `yaml:"tls"` // libpq's sslmode
}

// brokers is where the topic is.
type brokers struct {
	Name         string   `yaml:"name"`
	Brokers      []string `yaml:"brokers"` // host:port
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password-file"` // empty: no password
	CAFile       string   `yaml:"ca-file"`       // empty: without TLS
}

// loadConfig reads and checks the configuration at path, and what it names.
func loadConfig(path string) (config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return config{}, fmt.Errorf("read configuration: %w", err)
	}
	c := config{fixed: fixed{
		Listen: "127.0.0.1:9464", Archiver: "127.0.0.1:9465", Workers: 4, Queue: 100_000, Timeout: 5 * time.Second, Grace: 10 * time.Second,
	}}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return config{}, fmt.Errorf("configuration %s: %w: %w", path, err, model.ErrInvalid)
	}
	if err := c.check(); err != nil {
		return config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	return c, nil
}

// again reads the configuration at path once more. It is a conflict where it
// changes what a running program cannot.
func (c config) again(path string) (config, error) {
	next, err := loadConfig(path)
	if err == nil && next.fixed != c.fixed {
		err = fmt.Errorf("only spacecraft, rate, apids, archive and topic can change while the program runs; restart it for the rest: %w", model.ErrConflict)
	}
	return next, err
}

// check refuses values that cannot be served, and fills in the targets.
func (c *config) check() error {
	for _, required := range []struct{ key, value string }{
		{"source", c.Source},
		{"ledger", c.Ledger},
		{"listen", c.Listen},
		{"archiver", c.Archiver},
		{"archive.user", c.Archive.User},
		{"archive.database", c.Archive.Database},
	} {
		if required.value == "" {
			return fmt.Errorf("%s is not set: %w", required.key, model.ErrInvalid)
		}
	}
	if c.Rate <= 0 || c.Rate > MaxRate {
		return fmt.Errorf("rate %v: use more than 0 and at most %d packets a second: %w", c.Rate, MaxRate, model.ErrInvalid)
	}
	if c.Workers < 1 || c.Queue < 1 || c.Timeout <= 0 || c.Grace <= 0 {
		return fmt.Errorf("workers, queue, timeout and grace must be positive: %w", model.ErrInvalid)
	}
	if err := spacecraft.CheckAPIDs(c.APIDs); err != nil {
		return fmt.Errorf("apids: %w", err)
	}
	password, err := firstLine("archive.password-file", c.Archive.PasswordFile)
	if err != nil {
		return err
	}
	c.target = archive.Target{
		Endpoints: c.Archive.Endpoints, User: c.Archive.User, Password: password,
		Database: c.Archive.Database, TLS: c.Archive.TLS,
	}
	if err := c.target.Validate(); err != nil || c.Topic == nil {
		return err
	}
	return c.Topic.resolve(&c.topic)
}

// resolve reads what b names into t.
func (b brokers) resolve(t *topic.Target) (err error) {
	*t = topic.Target{Topic: b.Name, Brokers: b.Brokers, User: b.User}
	if t.Password, err = firstLine("topic.password-file", b.PasswordFile); err != nil {
		return err
	}
	if b.CAFile != "" {
		authority, err := os.ReadFile(b.CAFile)
		if err != nil {
			return fmt.Errorf("topic.ca-file: %w", err)
		}
		t.CA = string(authority)
	}
	return t.Validate()
}

// requireTopic refuses a configuration without a topic.
func (c config) requireTopic(command string) error {
	if c.Topic == nil {
		return fmt.Errorf("%s needs a topic in the configuration: %w", command, model.ErrInvalid)
	}
	return nil
}

// firstLine returns the first line of the file that key names, or nothing.
func firstLine(key, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line, nil
}
