package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gantry-orchestrator/gantry/model"
	"gopkg.in/yaml.v3"
)

// maxNodes bounds a document with its aliases expanded, so that a short file
// cannot stand for an endless one.
const maxNodes = 100_000

// Parse reads every document of a file; an empty document is a Null node. The
// error names the first place that is not YAML.
func Parse(file string, data []byte) ([]*Node, error) {
	if at := invalidUTF8(data); at >= 0 {
		return nil, model.At(position(file, data, at), errors.New("expected UTF-8 text, found other bytes"))
	}
	var documents []*Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var raw yaml.Node
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, syntaxError(file, data, err)
		}
		c := converter{file: file, done: map[*yaml.Node]*Node{}, open: map[*yaml.Node]bool{}}
		node, err := c.convert(&raw)
		if err != nil {
			return nil, err
		}
		documents = append(documents, node)
	}
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func position(file string, data []byte, offset int) model.Position {
	before := data[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return model.Position{
		File: file, Line: bytes.Count(before, []byte("\n")) + 1, Column: utf8.RuneCount(before[start:]) + 1,
	}
}

var (
	syntaxLine    = regexp.MustCompile(`(?s)^yaml: line (\d+): (.*)$`)
	unknownAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.+)' referenced$`)
)

// syntaxError places a message of the YAML library, which knows the line but
// not the column: the column is where the line's text starts.
func syntaxError(file string, data []byte, err error) error {
	p := model.Position{File: file, Line: 1, Column: 1}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil {
		if at := bytes.Index(data, []byte("*"+m[1])); at >= 0 {
			p = position(file, data, at)
		}
	}
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		message = m[2]
		lines := bytes.Split(data, []byte("\n"))
		if n, convErr := strconv.Atoi(m[1]); convErr == nil && n >= 1 {
			p.Line = min(n, len(lines))
		}
		line := lines[p.Line-1]
		p.Column = len(line) - len(bytes.TrimLeft(line, " \t")) + 1
	}
	return model.At(p, fmt.Errorf("expected YAML: %s", message))
}

type converter struct {
	file string
	done map[*yaml.Node]*Node
	open map[*yaml.Node]bool
}

func (c *converter) convert(raw *yaml.Node) (*Node, error) {
	switch raw.Kind {
	case yaml.DocumentNode:
		if len(raw.Content) == 0 {
			return &Node{Pos: c.at(raw), size: 1}, nil
		}
		return c.convert(raw.Content[0])
	case yaml.AliasNode:
		return c.convert(raw.Alias)
	}
	if n := c.done[raw]; n != nil {
		return n, nil
	}
	if c.open[raw] {
		return nil, model.At(c.at(raw), fmt.Errorf("anchor %q contains itself", raw.Anchor))
	}
	c.open[raw] = true
	defer delete(c.open, raw)
	n := &Node{Pos: c.at(raw), size: 1}
	var err error
	switch raw.Kind {
	case yaml.SequenceNode:
		err = c.list(n, raw)
	case yaml.MappingNode:
		err = c.fields(n, raw)
	default:
		err = c.scalar(n, raw)
	}
	if err != nil {
		return nil, err
	}
	if n.size > maxNodes {
		return nil, model.At(n.Pos, fmt.Errorf("expected at most %d values, found more with the aliases expanded", maxNodes))
	}
	c.done[raw] = n
	return n, nil
}

func (c *converter) at(raw *yaml.Node) model.Position {
	return model.Position{File: c.file, Line: max(raw.Line, 1), Column: max(raw.Column, 1)}
}

func (c *converter) list(n *Node, raw *yaml.Node) error {
	n.Kind = List
	for _, item := range raw.Content {
		v, err := c.convert(item)
		if err != nil {
			return err
		}
		n.Items = append(n.Items, v)
		n.size += v.size
	}
	return nil
}

func (c *converter) fields(n *Node, raw *yaml.Node) error {
	n.Kind = Map
	at := make(map[string]int, len(raw.Content)/2)
	var inherited []*Node
	for i := 0; i+1 < len(raw.Content); i += 2 {
		value, err := c.convert(raw.Content[i+1])
		if err != nil {
			return err
		}
		n.size += value.size + 1
		if raw.Content[i].ShortTag() == "!!merge" {
			parents, err := mergeParents(value)
			if err != nil {
				return err
			}
			inherited = append(inherited, parents...)
			continue
		}
		key, err := c.convert(raw.Content[i])
		if err != nil {
			return err
		}
		if key.Kind != Scalar {
			return model.At(key.Pos, fmt.Errorf("expected a word as key, found %v", key))
		}
		if first, repeated := at[key.Value]; repeated {
			n.Repeats = append(n.Repeats, key)
			n.Fields[first] = Field{Key: key, Value: value}
			continue
		}
		at[key.Value] = len(n.Fields)
		n.Fields = append(n.Fields, Field{Key: key, Value: value})
	}
	for _, parent := range inherited {
		for _, f := range parent.Fields {
			if _, own := at[f.Key.Value]; !own {
				at[f.Key.Value] = len(n.Fields)
				n.Fields = append(n.Fields, f)
			}
		}
	}
	return nil
}

func mergeParents(value *Node) ([]*Node, error) {
	switch value.Kind {
	case Map:
		return []*Node{value}, nil
	case List:
		for _, item := range value.Items {
			if item.Kind != Map {
				return nil, model.At(item.Pos, fmt.Errorf("expected maps to merge, found %v", item))
			}
		}
		return value.Items, nil
	default:
		return nil, model.At(value.Pos, fmt.Errorf("expected a map to merge, found %v", value))
	}
}

func (c *converter) scalar(n *Node, raw *yaml.Node) error {
	n.Kind, n.Value = Scalar, raw.Value
	switch tag := raw.ShortTag(); tag {
	case "!!null":
		n.Kind, n.Value = Null, ""
	case "!!int":
		n.Type = Int
	case "!!float":
		n.Type = Float
	case "!!bool":
		n.Type = Bool
	case "!!str", "!!timestamp", "!!merge":
		n.Type = Text
	default:
		return model.At(n.Pos, fmt.Errorf("expected a plain value, found the tag %s", tag))
	}
	return nil
}
