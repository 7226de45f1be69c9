package kafka

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/software"
)

// Files holds the charm's metadata.
//
//go:embed charm.yaml *.lock.yaml
var Files embed.FS

// releases is the software of each release line that can be run.
var releases = map[string]effect.Software{
	"4.0": locked("kafka-4.0.lock.yaml"),
	"4.1": locked("kafka-4.1.lock.yaml"),
}

// exporter serves what Kafka measures in the form that collectors read.
var exporter = locked("exporter.lock.yaml")

func locked(file string) effect.Software {
	data, err := Files.ReadFile(file)
	if err != nil {
		panic("kafka: " + err.Error())
	}
	return sdk.MustLock(data)
}

// The values of the option tls.
const (
	tlsAuto     = "auto"
	tlsRequired = "required"
	tlsOff      = "off"
)

// settings is the configuration, checked.
type settings struct {
	broker, controller bool
	version            string
	software           effect.Software
	tls                string
	heap               int
	partitions         int
	offsets            int
	lines              []string // of Kafka's own configuration
}

// profiles are what a profile has where nothing else is said.
var profiles = map[string]struct{ heap, offsets int }{
	"production": {heap: 1024, offsets: 50},
	"testing":    {heap: 256, offsets: 3},
}

func parseSettings(in effect.Input) (settings, error) {
	s := settings{version: sdk.String(in, "version"), tls: sdk.String(in, "tls"), heap: sdk.Int(in, "heap_mb"), partitions: sdk.Int(in, "num-partitions")}
	s.offsets = sdk.Int(in, "offsets-topic-num-partitions")
	for role := range strings.SplitSeq(sdk.String(in, "roles"), ",") {
		switch strings.TrimSpace(role) {
		case "broker":
			s.broker = true
		case "controller":
			s.controller = true
		default:
			return s, fmt.Errorf("roles has %q: expected broker, controller or both: %w", role, model.ErrInvalid)
		}
	}
	profile, known := profiles[sdk.String(in, "profile")]
	if !known {
		return s, fmt.Errorf("profile is %q: expected production or testing: %w", sdk.String(in, "profile"), model.ErrInvalid)
	}
	if s.heap == 0 {
		s.heap = profile.heap
	}
	if s.offsets == 0 {
		s.offsets = profile.offsets
	}
	switch {
	case s.tls != tlsAuto && s.tls != tlsRequired && s.tls != tlsOff:
		return s, fmt.Errorf("tls is %q: expected auto, required or off: %w", s.tls, model.ErrInvalid)
	case s.heap < 128:
		return s, fmt.Errorf("heap_mb is %d: expected at least 128: %w", s.heap, model.ErrInvalid)
	case s.partitions < 1 || s.offsets < 1:
		return s, fmt.Errorf("num-partitions is %d and offsets-topic-num-partitions %d: expected at least 1: %w", s.partitions, s.offsets, model.ErrInvalid)
	}
	if err := s.choose(in); err != nil {
		return s, err
	}
	return s, s.logs(in)
}

// choose decides which software is run.
func (s *settings) choose(in effect.Input) error {
	url, sum := sdk.String(in, "archive-url"), sdk.String(in, "archive-sha512")
	if url != "" {
		if len(sum) != 128 {
			return fmt.Errorf("archive-sha512 is %q: expected 128 hex digits with archive-url: %w", sum, model.ErrInvalid)
		}
		s.software = effect.Software{Name: "kafka", Version: s.version, Archive: &software.Archive{URL: url, SHA512: sum, Strip: 1}}
		return nil
	}
	software, known := releases[s.version]
	if !known {
		return fmt.Errorf("version is %q: expected 4.0 or 4.1: %w", s.version, model.ErrInvalid)
	}
	s.software = software
	return nil
}

// logs are Kafka's own options of the settings.
func (s *settings) logs(in effect.Input) error {
	compression := sdk.String(in, "compression-type")
	if !slices.Contains([]string{"uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"}, compression) {
		return fmt.Errorf("compression-type is %q: expected uncompressed, gzip, snappy, lz4, zstd or producer: %w", compression, model.ErrInvalid)
	}
	cleanup := sdk.String(in, "log-cleanup-policy")
	if !slices.Contains([]string{"delete", "compact", "compact,delete"}, cleanup) {
		return fmt.Errorf("log-cleanup-policy is %q: expected delete, compact or compact,delete: %w", cleanup, model.ErrInvalid)
	}
	for _, o := range []struct {
		name  string
		least int
	}{{"log-retention-ms", -1}, {"log-retention-bytes", -1}, {"log-segment-bytes", 1 << 20}, {"message-max-bytes", 1024}} {
		if v := sdk.Int(in, o.name); v < o.least {
			return fmt.Errorf("%s is %d: expected at least %d: %w", o.name, v, o.least, model.ErrInvalid)
		}
	}
	s.lines = []string{
		"compression.type=" + compression, "log.cleanup.policy=" + cleanup,
		fmt.Sprint("log.retention.ms=", sdk.Int(in, "log-retention-ms")), fmt.Sprint("log.retention.bytes=", sdk.Int(in, "log-retention-bytes")),
		fmt.Sprint("log.segment.bytes=", sdk.Int(in, "log-segment-bytes")), fmt.Sprint("message.max.bytes=", sdk.Int(in, "message-max-bytes")),
		fmt.Sprint("unclean.leader.election.enable=", sdk.Bool(in, "unclean-leader-election-enable")),
		fmt.Sprint("auto.create.topics.enable=", sdk.Bool(in, "auto-create-topics")),
		fmt.Sprint("num.partitions=", s.partitions), fmt.Sprint("offsets.topic.num.partitions=", s.offsets),
	}
	return nil
}

// factor is how many replicas a partition has of that many brokers, and
// minimum how many of them a write waits for: with three, one may be lost.
func factor(brokers int) int { return max(1, min(3, brokers)) }

func minimum(factor int) int { return max(1, factor-1) }
