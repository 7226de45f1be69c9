package sdk

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Fact is the value of a probe as a T, and false where it is unknown or is no
// T. Unknown is never false: a charm that must not act on ignorance asks for
// the second result. A string is the value as it is; bool and numbers are
// parsed; anything else is decoded from JSON.
func Fact[T any](in effect.Input, probe effect.ProbeID) (T, bool) {
	var v T
	f, ok := in.Facts[probe]
	if !ok {
		return v, false
	}
	return v, decodeFact(f.Value, &v)
}

// FactField is the value at a dotted path that an HTTP probe selected.
func FactField[T any](in effect.Input, probe effect.ProbeID, path string) (T, bool) {
	var v T
	fields, ok := Fact[map[string]json.RawMessage](in, probe)
	if !ok || fields[path] == nil {
		return v, false
	}
	return v, json.Unmarshal(fields[path], &v) == nil
}

func decodeFact(s string, into any) bool {
	if v := reflect.ValueOf(into).Elem(); v.Kind() == reflect.String {
		v.SetString(s)
		return true
	}
	return json.Unmarshal([]byte(s), into) == nil
}

// VolumeState is what the agent found in a volume's directory.
type VolumeState struct {
	Empty       bool
	Foreign     bool   // data that no charm of ours stamped: never touch it
	Incarnation string // of data that is stamped
}

// Volume is the state of a volume, and false where it is not known yet.
func Volume(in effect.Input, id effect.ID) (VolumeState, bool) {
	value, ok := Fact[string](in, effect.ProbeID(effect.VolumeFact+string(id)))
	if !ok {
		return VolumeState{}, false
	}
	incarnation, stamped := strings.CutPrefix(value, effect.VolumeStamped)
	switch {
	case stamped:
		return VolumeState{Incarnation: incarnation}, true
	case value == effect.VolumeEmpty:
		return VolumeState{Empty: true}, true
	case value == effect.VolumeForeign:
		return VolumeState{Foreign: true}, true
	default:
		return VolumeState{}, false
	}
}

// String is a configuration option; "" where it has no value.
func String(in effect.Input, option string) string {
	s, _ := in.Spec.Config[option].(string)
	return s
}

// Int is a configuration option that is a whole number.
func Int(in effect.Input, option string) int {
	switch v := in.Spec.Config[option].(type) {
	case int64:
		return int(v)
	case int:
		return v
	case float64: // as JSON carries it
		return int(v)
	default:
		return 0
	}
}

// Float is a configuration option that is a number.
func Float(in effect.Input, option string) float64 {
	if v, ok := in.Spec.Config[option].(float64); ok {
		return v
	}
	return float64(Int(in, option))
}

// Bool is a configuration option that is true or false.
func Bool(in effect.Input, option string) bool {
	b, _ := in.Spec.Config[option].(bool)
	return b
}

// RecordOf is a committed record, and false where none is committed yet.
func RecordOf(in effect.Input, scope effect.Scope, name string) (string, bool) {
	for _, r := range in.Spec.Records {
		if r.Scope == scope && r.Name == name {
			return r.Value, true
		}
	}
	return "", false
}

// Granted reports whether the unit holds a turn.
func Granted(in effect.Input, turn string) bool {
	for _, g := range in.Live.Grants {
		if g.Turn == turn {
			return true
		}
	}
	return false
}

// Leaving reports whether the unit is to go.
func Leaving(in effect.Input) bool { return in.Spec.Life != model.Alive }

// EndingWhole reports whether the whole application is to go.
func EndingWhole(in effect.Input) bool { return in.Spec.ApplicationLife != model.Alive }

// HostPort joins the unit's own address and a port.
func HostPort(in effect.Input, port int) string { return Join(in.Spec.Address, port) }

// Join joins an address and a port; an IPv6 address goes in brackets.
func Join(address string, port int) string {
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return address + ":" + strconv.Itoa(port)
}
