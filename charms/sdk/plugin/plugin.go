// Package plugin is both ends of the protocol between an agent and a charm's
// process: hashicorp/go-plugin, gRPC over a unix socket, payloads in the JSON
// of model/effect.
package plugin

import (
	"fmt"
	"runtime"
	"strings"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// ProtocolVersion is of the messages. An agent and a charm that differ in it
// refuse each other.
const ProtocolVersion = 1

// Cookie is set in the environment of a process that is to serve.
const Cookie = "GANTRY_CHARM"

const cookieValue = "reconcile"

const pluginName = "charm"

func handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{ProtocolVersion: ProtocolVersion, MagicCookieKey: Cookie, MagicCookieValue: cookieValue}
}

// Reconciler is the part of a charm that is served.
type Reconciler interface {
	Reconcile(in effect.Input) effect.Desired
}

// Result is what a call's or an action's process writes on its standard
// output, as JSON.
type Result struct {
	Value  string            `json:"value,omitempty"`  // of a call
	Output map[string]string `json:"output,omitempty"` // of an action
	Error  string            `json:"error,omitempty"`  // why it failed; empty on success
}

// Panicked describes a panic that was just recovered: what it said, and the
// functions and lines it came through, but none of their arguments. What it
// said is left out, but for the runtime's own messages, where the code that
// panicked had seen secrets.
func Panicked(value any, secrets bool) string {
	said := fmt.Sprint(value)
	if _, own := value.(runtime.Error); secrets && !own {
		said = fmt.Sprintf("a %T, left out because it may hold a secret", value)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "panic: %s", said)
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if strings.HasPrefix(f.Function, "runtime.") || f.Function == "" {
			continue
		}
		fmt.Fprintf(&out, "\n\t%s %s:%d", f.Function, f.File, f.Line)
	}
	return out.String()
}
