package unit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// State is all that Step knows. Only Journal survives a crash.
type State struct {
	Journal  Journal
	Host     effect.Host
	Facts    map[effect.ProbeID]effect.Fact // known and debounced, without those of volumes
	Read     map[effect.ProbeID]bool        // probes whose standing was read after the last step
	Answer   Answer
	Observed Observed
	Running  map[string]Action // under way, by key
	// Failures are what went wrong last, by key of action.
	Failures map[string]Failure
	// Sent is what the controller accepted, by key of action, so that it is
	// not sent again before it can have come back.
	Sent       map[string]Mark
	LeadsUntil time.Time // when leadership ends unless it is renewed
	Connected  bool      // a controller is in reach
	Reported   string    // hash of the last report that was accepted
	Timer      time.Time // when Step will be asked without another cause
	Now        time.Time
}

// Answer is what the charm last said.
type Answer struct {
	For       string // hash of the Input that it answers; empty: none yet
	Desired   effect.Desired
	Failed    string          // the charm did not answer: why
	Confirmed map[string]bool // keys of steps for which it was asked after their needs were read
}

// Mark is when something was sent: its hash, and the intent of then.
type Mark struct {
	Hash       string
	Generation uint64
	Serial     uint64
}

// Failure is what went wrong with an action.
type Failure struct {
	Text    string
	Blocked bool // a person must act; it is tried again all the same
	Times   int  // in a row
	RetryAt time.Time
}

// NeedsPerson reports whether a person must act on why an action failed: trying
// again alone does not mend it. That a claim is refused says only that it is
// held or done already, and that a publication or secret is denied only that
// another unit leads by now: of both the intent will tell.
func NeedsPerson(a Action, err error) bool {
	switch a.(type) {
	case OpenClaim:
		return false
	case Publish, PutSecret:
		if errors.Is(err, model.ErrDenied) {
			return false
		}
	}
	return errors.Is(err, model.ErrConflict) || errors.Is(err, model.ErrDenied) || errors.Is(err, model.ErrInvalid)
}

// Observed is what is on the host, of effects that are desired or applied.
type Observed struct {
	Ready    bool                 // the host was looked at since the agent started
	Packages map[string]string    // installed version by name
	Software map[string]bool      // whole, by effect.Software.Directory
	Files    map[effect.ID]string // digest of what is there; empty: nothing
	Volumes  map[effect.ID]string // value of the volume's fact
	Services map[effect.ID]Process
}

// Process is what the supervisor knows of a service.
type Process struct {
	PID      int
	Running  bool   // or to be restarted after a crash
	Spec     string // hash of the supervisor's spec
	Since    time.Time
	Restarts int         // unplanned
	Crashes  []time.Time // of late, as the agent saw them
	Failed   string      // why it does not run
}

// Backoff is how long to wait after the nth failure in a row.
func Backoff(n int) time.Duration {
	const first, most = time.Second, 2 * time.Minute
	if n > 8 {
		return most
	}
	return min(first<<max(n-1, 0), most)
}

// Leads reports whether what only a leader may do is allowed now.
func (s State) Leads() bool {
	return s.Journal.Intent.Live.Leader && s.Now.Before(s.LeadsUntil)
}

// live is the intent's live part, without a leadership that has lapsed and
// without grants that were given back.
func (s State) live() effect.Live {
	live := s.Journal.Intent.Live
	live.Grants, _ = s.Journal.split()
	if !s.Leads() {
		live.Leader, live.Token = false, 0
	}
	return live
}

// facts are all that the charm may know, volumes included.
func (s State) facts() map[effect.ProbeID]effect.Fact {
	facts := map[effect.ProbeID]effect.Fact{}
	for id, f := range s.Facts {
		facts[id] = f
	}
	for id, v := range s.Observed.Volumes {
		facts[effect.VolumeFact+effect.ProbeID(id)] = effect.Fact{Value: v}
	}
	return facts
}

// Input is what the charm is asked with now.
func (s State) Input() effect.Input {
	return effect.Input{
		Spec: s.Journal.Intent.Spec, Live: s.live(), Host: s.Host,
		Now: s.charmTime(), Facts: s.facts(),
	}
}

// charmTime advances only for a new spec or a due Revisit, and never back.
func (s State) charmTime() time.Time {
	j, revisit := s.Journal, s.Answer.Desired.Revisit
	due := !revisit.IsZero() && j.Now.Before(revisit) && !s.Now.Before(revisit)
	if (j.NowFor != j.Intent.Hash || due) && s.Now.After(j.Now) {
		return s.Now
	}
	return j.Now
}

// HashInput identifies an input. The spec is the larger part of it by far and
// changes least: its hash, which the intent brings, stands for it.
func HashInput(spec string, in effect.Input) string {
	in.Spec = effect.Spec{}
	return hashOf(struct {
		Spec string
		effect.Input
	}{spec, in})
}

// Question is what the charm is asked with now.
func (s State) Question() Ask {
	in := s.Input()
	return Ask{Input: in, For: HashInput(s.Journal.Intent.Hash, in)}
}

// HashEffects identifies what of Desired changes a host; its progress texts
// do not.
func HashEffects(d effect.Desired) string { return hashOf(d.Effects()) }

func hashOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("unit: a contract type does not encode: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Changed names the effects that differ between two Desired.
func Changed(a, b effect.Desired) []effect.ID {
	was, is := map[effect.ID]string{}, map[effect.ID]string{}
	for _, e := range a.Effects() {
		was[e.ID()] = hashOf(e)
	}
	var ids []effect.ID
	for _, e := range b.Effects() {
		is[e.ID()] = hashOf(e)
		if was[e.ID()] != is[e.ID()] {
			ids = append(ids, e.ID())
		}
	}
	for id := range was {
		if is[id] == "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// seen is the host and the controller as effect.Diff wants them.
func (s State) seen() effect.Observed {
	seen := effect.Observed{
		Spec: s.Journal.Intent.Spec, Live: s.live(), Packages: s.Observed.Packages, Software: s.Observed.Software,
		Volumes: s.Observed.Volumes, Facts: s.facts(),
		Drifted: map[effect.ID]string{}, Services: map[effect.ID]effect.ServiceState{},
	}
	for id, digest := range s.Journal.Digests {
		switch s.Observed.Files[id] {
		case digest:
		case "":
			seen.Drifted[id] = "it is missing"
		default:
			seen.Drifted[id] = "it is not as it was written"
		}
	}
	for id, p := range s.Observed.Services {
		seen.Services[id] = effect.ServiceState{Running: p.Running, Process: s.Journal.process(id, p.Spec)}
	}
	return seen
}

// process is the desired process that a supervisor's spec was made from.
func (j Journal) process(id effect.ID, spec string) string {
	if start, ok := j.Started[id]; ok && start.Spec == spec {
		return start.Process
	}
	for _, b := range j.Begun {
		if b.Step.ID == id && b.Start != nil && b.Start.Spec == spec {
			return b.Start.Process
		}
	}
	return ""
}
