package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/fxamacker/cbor/v2"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// encoder and decoder write and read CBOR values one after another.
type (
	encoder = cbor.Encoder
	decoder = cbor.Decoder
)

// Both the log and snapshots are CBOR in core deterministic encoding
// (RFC 8949, 4.2.1), so that equal states have equal bytes.
var encMode = must(func() (cbor.EncMode, error) {
	o := cbor.CoreDetEncOptions()
	o.Time = cbor.TimeRFC3339NanoUTC
	o.TextMarshaler = cbor.TextMarshalerTextString
	return o.EncMode()
}())

// What this build does not know it refuses to read: to skip a field would be
// to lose its meaning, and replicas would differ.
var decMode = must(cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	IntDec:            cbor.IntDecConvertSignedOrFail,
	DefaultMapType:    reflect.TypeFor[map[string]any](),
	TextUnmarshaler:   cbor.TextUnmarshalerTextString,
	MaxArrayElements:  1 << 27,
	MaxMapPairs:       1 << 27,
}.DecMode())

// must is for modes that are fixed when this package is built.
func must[T any](v T, err error) T {
	if err != nil {
		panic("state: " + err.Error())
	}
	return v
}

// Encode writes the state, canonically: equal states give equal bytes.
func (s State) Encode(w io.Writer) error {
	enc := encMode.NewEncoder(w)
	if err := enc.Encode(s.head); err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	for _, t := range s.tables() {
		if t.later() && t.len() == 0 {
			continue
		}
		if err := t.encode(enc); err != nil {
			return fmt.Errorf("encode %s rows: %w", t.name(), err)
		}
	}
	return nil
}

// Decode reads what Encode wrote, also that of a build next to this one: a
// table that is not there is empty, and an empty one that is not known here is
// passed over. Rows and fields that are not known are refused, since to lose
// their meaning would be to differ from who knows them.
func Decode(r io.Reader) (State, error) {
	s := Empty()
	dec := decMode.NewDecoder(r)
	if err := dec.Decode(&s.head); err != nil {
		return State{}, fmt.Errorf("decode state: %w", skewed(err))
	}
	if s.head.Format != FormatVersion {
		return State{}, fmt.Errorf("decode state: format %d, expected %d: %w", s.head.Format, FormatVersion, errSkew)
	}
	if s.head.Level > KnownLevel {
		return State{}, fmt.Errorf("decode state: features of level %d, and this build knows %d: %w", s.head.Level, KnownLevel, errSkew)
	}
	if err := s.decodeTables(dec); err != nil {
		return State{}, fmt.Errorf("decode state: %w", skewed(err))
	}
	return s, nil
}

// decodeTables reads tables in their order, to the last, which every build
// writes: without it the rest was lost.
func (s *State) decodeTables(dec *decoder) error {
	for rest := s.tables(); len(rest) > 0; {
		var head section
		if err := dec.Decode(&head); err != nil {
			return fmt.Errorf("before the rows of table %s: %w", rest[0].name(), err)
		}
		at := slices.IndexFunc(rest, func(t anyTable) bool { return t.name() == head.Table })
		if at < 0 && head.Rows == 0 {
			continue
		}
		if at < 0 {
			return fmt.Errorf("%d rows of table %q, which is not known here: %w", head.Rows, head.Table, errSkew)
		}
		if err := rest[at].decode(dec, head.Rows); err != nil {
			return fmt.Errorf("rows of table %s: %w", head.Table, err)
		}
		rest = rest[at+1:]
	}
	return nil
}

// errSkew ends an error about what another version wrote.
var errSkew = fmt.Errorf("written by another version of gantry: bring all controllers to one version: %w", model.ErrUnavailable)

// skewed explains a field or type that this build does not know.
func skewed(err error) error {
	var unknown *cbor.UnknownFieldError
	var mistyped *cbor.UnmarshalTypeError
	if errors.As(err, &unknown) || errors.As(err, &mistyped) {
		return fmt.Errorf("%w: %w", err, errSkew)
	}
	return err
}

// section announces a table's rows.
type section struct {
	Table tables.Name `json:"table"`
	Rows  int         `json:"rows"`
}

func (t *table[T]) name() tables.Name { return t.table }

func (t *table[T]) later() bool { return t.added }

func (t *table[T]) len() int { return t.rows.done.Len() }

func (t *table[T]) modifyIndex(k Key) uint64 {
	row, ok := t.find(k)
	if !ok {
		return 0
	}
	return t.stamp(&row).ModifyIndex
}

func (t *table[T]) encode(enc *encoder) error {
	if err := enc.Encode(section{t.table, t.len()}); err != nil {
		return err
	}
	var err error
	t.rows.done.Root().Walk(func(_ []byte, stored any) bool {
		err = enc.Encode(stored.(*T))
		return err != nil
	})
	return err
}

func (t *table[T]) decode(dec *decoder, rows int) error {
	for range rows {
		var row T
		if err := dec.Decode(&row); err != nil {
			return err
		}
		t.set(t.key(&row), &row)
	}
	t.commit()
	return nil
}

// dropModel removes every row of a model.
func (t *table[T]) dropModel(w *writer, m model.ModelName) {
	for _, row := range t.under(radixKey(m, "")) {
		remove(w, t, t.key(&row))
	}
}

// imageOf encodes a row as it was.
func imageOf[T any](k Key, was T, existed bool) Image {
	if !existed {
		return Image{Key: k}
	}
	return Image{Key: k, Row: must(encMode.Marshal(was))}
}

// Decode reads the row as it was into a pointer to the type of the key's table.
func (i Image) Decode(row any) error {
	if err := decMode.Unmarshal(i.Row, row); err != nil {
		return fmt.Errorf("read %v as it was: %w", i.Key, skewed(err))
	}
	return nil
}

// EncodeCommands writes commands as one entry of a log.
func EncodeCommands(commands []Command) ([]byte, error) {
	b, err := encMode.Marshal(commands)
	if err != nil {
		return nil, fmt.Errorf("encode commands: %w", err)
	}
	return b, nil
}

// DecodeCommands reads what EncodeCommands wrote. An op or a field that this
// build does not know is an error of class unavailable that says so.
func DecodeCommands(b []byte) ([]Command, error) {
	var commands []Command
	if err := decMode.Unmarshal(b, &commands); err != nil {
		return nil, fmt.Errorf("decode commands: %w", skewed(err))
	}
	return commands, nil
}

// taggedOp is an op with its kind.
type taggedOp struct {
	Kind string          `json:"kind"`
	Body cbor.RawMessage `json:"body"`
}

// fields is a Command without its methods.
type fields Command

// entry is a command as it is written: its own Ops hide those of fields.
type entry struct {
	fields
	Ops []taggedOp `json:"ops"`
}

// MarshalCBOR implements cbor.Marshaler.
func (c Command) MarshalCBOR() ([]byte, error) {
	e := entry{fields: fields(c), Ops: make([]taggedOp, len(c.Ops))}
	for i, op := range c.Ops {
		k, ok := kindOf(op)
		if !ok {
			return nil, fmt.Errorf("op %T has no kind: %w", op, model.ErrInvalid)
		}
		body, err := encMode.Marshal(op)
		if err != nil {
			return nil, fmt.Errorf("op %s: %w", k.name, err)
		}
		e.Ops[i] = taggedOp{Kind: k.name, Body: body}
	}
	return encMode.Marshal(e)
}

// UnmarshalCBOR implements cbor.Unmarshaler.
func (c *Command) UnmarshalCBOR(b []byte) error {
	var e entry
	if err := decMode.NewDecoder(bytes.NewReader(b)).Decode(&e); err != nil {
		return err
	}
	*c = Command(e.fields)
	c.Ops = make([]Op, len(e.Ops))
	for i, t := range e.Ops {
		k, ok := kindNamed(t.Kind)
		if !ok {
			return fmt.Errorf("op %q is unknown: %w", t.Kind, errSkew)
		}
		op, err := k.decode(t.Body)
		if err != nil {
			return fmt.Errorf("op %s: %w", t.Kind, err)
		}
		c.Ops[i] = op
	}
	return nil
}
