package model

import (
	"fmt"
	"strconv"
	"strings"
)

// Constraints say what a machine must offer. Zero means no demand.
type Constraints struct {
	Cores  int    `json:"cores,omitempty"`
	MemMiB uint64 `json:"mem,omitempty"`       // MiB of memory
	Disk   uint64 `json:"root-disk,omitempty"` // MiB of root disk
	Arch   string `json:"arch,omitempty"`
	Tags   string `json:"tags,omitempty"` // comma separated, all of them wanted
}

var constraintKeys = []string{"arch", "cores", "cpu-cores", "mem", "root-disk", "tags"}

// ParseConstraints parses Juju's "cores=4 mem=8G root-disk=20G arch=amd64".
func ParseConstraints(s string) (Constraints, error) {
	var c Constraints
	for _, field := range strings.Fields(s) {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return Constraints{}, fmt.Errorf("constraint %q: expected KEY=VALUE such as mem=4G: %w", field, ErrInvalid)
		}
		if err := c.set(key, value); err != nil {
			return Constraints{}, fmt.Errorf("constraint %q: %w", field, err)
		}
	}
	return c, nil
}

func (c *Constraints) set(key, value string) (err error) {
	switch key {
	case "cores", "cpu-cores":
		if c.Cores, err = strconv.Atoi(value); err != nil || c.Cores < 0 {
			return fmt.Errorf("expected a number of cores: %w", ErrInvalid)
		}
	case "mem":
		c.MemMiB, err = parseMiB(value)
	case "root-disk":
		c.Disk, err = parseMiB(value)
	case "arch":
		c.Arch = value
	case "tags":
		c.Tags = value
	default:
		return fmt.Errorf("unknown constraint %q%s: %w", key, DidYouMean(key, constraintKeys), ErrInvalid)
	}
	return err
}

// parseMiB parses "512", "512M", "4G", "2T"; a bare number is MiB.
func parseMiB(s string) (uint64, error) {
	factor := uint64(1)
	digits := s
	if s != "" {
		switch s[len(s)-1] {
		case 'M', 'm':
			digits = s[:len(s)-1]
		case 'G', 'g':
			factor, digits = 1<<10, s[:len(s)-1]
		case 'T', 't':
			factor, digits = 1<<20, s[:len(s)-1]
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n >= 0 && n < 1<<40) { // not a number, or more than a machine has
		return 0, fmt.Errorf("size %q: expected a number with M, G or T: %w", s, ErrInvalid)
	}
	return uint64(n * float64(factor)), nil
}

// String writes the constraints as ParseConstraints reads them.
func (c Constraints) String() string {
	var parts []string
	add := func(key, value string, said bool) {
		if said {
			parts = append(parts, key+"="+value)
		}
	}
	add("arch", c.Arch, c.Arch != "")
	add("cores", strconv.Itoa(c.Cores), c.Cores != 0)
	add("mem", strconv.FormatUint(c.MemMiB, 10)+"M", c.MemMiB != 0)
	add("root-disk", strconv.FormatUint(c.Disk, 10)+"M", c.Disk != 0)
	add("tags", c.Tags, c.Tags != "")
	return strings.Join(parts, " ")
}
