package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// heading begins a segment; the hash before its first record follows.
const heading = "gantry-audit 1 "

// link is the hash of a record's text behind the one before it.
func link(before, text string) string {
	sum := sha256.Sum256([]byte(before + "\n" + text))
	return hex.EncodeToString(sum[:])
}

// line is a record as a segment has it: its JSON, and the chain's hash there.
type line struct {
	operator.AuditRecord
	text string
	hash string
}

func (l line) String() string { return l.text + "\t" + l.hash + "\n" }

// parse reads a line without its end.
func parse(raw string) (line, error) {
	text, hash, ok := strings.Cut(raw, "\t")
	l := line{text: text, hash: hash}
	if !ok {
		return l, errors.New("it has no hash")
	}
	return l, json.Unmarshal([]byte(text), &l.AuditRecord)
}

// segment is a file of records.
type segment struct {
	path   string
	before string // hash before its first record
	lines  []string
	whole  int // bytes up to the end of the last whole line
}

// name is the file of the segment that begins with a record.
func name(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("audit-%020d.log", first))
}

// segments lists the files of a directory, oldest first.
func segments(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "audit-*.log"))
	slices.Sort(paths)
	return paths, err
}

// read reads a segment. A last line without an end was never whole: it is
// passed over.
func read(path string) (segment, error) {
	s := segment{path: path}
	b, err := os.ReadFile(path)
	if err != nil {
		return s, fmt.Errorf("audit log: %w", err)
	}
	s.whole = bytes.LastIndexByte(b, '\n') + 1
	lines := strings.Split(string(b[:s.whole]), "\n")
	if s.whole == 0 || !strings.HasPrefix(lines[0], heading) {
		return s, fmt.Errorf("audit log %s: it does not begin as one: %w", path, model.ErrInvalid)
	}
	s.before = strings.TrimPrefix(lines[0], heading)
	s.lines = lines[1 : len(lines)-1]
	return s, nil
}
