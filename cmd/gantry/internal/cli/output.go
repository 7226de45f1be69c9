package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// answer prints what a command was asked for: value as JSON or YAML, or what
// text writes.
func (sh *shell) answer(value any, text func(io.Writer)) error {
	var b bytes.Buffer
	if sh.flags.output == "text" {
		text(&b)
	} else {
		encoded, err := encode(sh.flags.output, value)
		if err != nil {
			return err
		}
		b.Write(encoded)
	}
	if _, err := sh.Stdout.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// encode writes a value as JSON or as the same in YAML, with a final newline.
func encode(format string, value any) ([]byte, error) {
	b, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	if format == "json" {
		return append(b, '\n'), nil
	}
	// JSON is YAML already; without its brackets it keeps the fields' order.
	var node yaml.Node
	if err := yaml.Unmarshal(b, &node); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	unbracket(&node)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&node); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return out.Bytes(), enc.Close()
}

func unbracket(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		unbracket(child)
	}
}

// say confirms what was done, where the answer is text and not to be quiet.
func (sh *shell) say(format string, args ...any) {
	if sh.flags.output == "text" && !sh.flags.quiet {
		fmt.Fprintf(sh.Stdout, format+"\n", args...)
	}
}

// note tells a person something beside the answer.
func (sh *shell) note(format string, args ...any) {
	if !sh.flags.quiet {
		fmt.Fprintf(sh.Stderr, format+"\n", args...)
	}
}
