package tlscertificates

import (
	"encoding/json"
	"encoding/pem"
	"strconv"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Begin implements sdk.Twin: what the authority makes follows from what it is
// asked, so there is no world to keep.
func (Charm) Begin(uint64) sdk.World { return nil }

// Step implements sdk.Twin. Simulated certificates are no real ones: only that
// they are there counts.
func (Charm) Step(w sdk.World, e sdk.Event) (sdk.World, sdk.Outcome) {
	ran, ok := e.(sdk.TaskRan)
	if !ok || ran.Undo {
		return w, sdk.Outcome{}
	}
	switch args := ran.Task.Run.Args; ran.Task.Run.Call {
	case callKey:
		return w, sdk.Outcome{Output: "key"}
	case callRoot:
		return w, sdk.Outcome{Output: simulated(string(ran.Task.ID))}
	case callSign:
		return w, sdk.Outcome{Output: simulatedIssue(ran.Task, args)}
	}
	return w, sdk.Outcome{}
}

// Answer implements sdk.Twin: the charm probes nothing.
func (Charm) Answer(sdk.World, model.UnitName, effect.Probe) (string, bool) { return "", false }

// Safe implements sdk.Twin.
func (Charm) Safe(sdk.World) error { return nil }

func simulated(name string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(name)}))
}

// simulatedIssue is a certificate of the length of life that was asked for. The
// first round begins with the year 2026, as simulations do, and each further
// one when the one before is due.
func simulatedIssue(t effect.Task, args map[string]effect.Content) string {
	text := func(name string) (all string) {
		for _, s := range args[name] {
			all += s.Text
		}
		return all
	}
	seconds, err := strconv.Atoi(text("seconds"))
	generation, err2 := strconv.Atoi(text("generation"))
	if err != nil || err2 != nil {
		panic("tlscertificates: the charm's own task does not read")
	}
	id := string(t.ID)
	round, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:])
	if err != nil {
		panic("tlscertificates: the charm's own task does not read")
	}
	one := issued{Certificate: simulated(id), Generation: generation, From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for life := time.Duration(seconds) * time.Second; ; round-- {
		if one.Until = one.From.Add(life); round <= 1 {
			break
		}
		one.From = one.renewal()
	}
	b, err := json.Marshal(one)
	if err != nil {
		panic("tlscertificates: a certificate does not encode: " + err.Error())
	}
	return string(b)
}
