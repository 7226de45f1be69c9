package api

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/gantry-orchestrator/gantry/engine/state"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/charm"
	"github.com/gantry-orchestrator/gantry/model/effect"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Log is the replicated log, as consensus keeps it.
type Log interface {
	// Propose commits commands and returns what each did.
	Propose(ctx context.Context, commands ...state.Command) ([]state.Outcome, error)
	// Read is the state after all that was acknowledged before the call.
	Read(ctx context.Context) (state.State, error)
	// State is the state as applied here.
	State() state.State
	// Changes waits for entries past an index; next is the index to ask from.
	Changes(ctx context.Context, index uint64) (changes []Change, next uint64, err error)
	// Advanced is closed once there are entries past an index.
	Advanced(index uint64) <-chan struct{}
}

// Change is one applied command that changed something.
type Change struct {
	Index    uint64
	Revision uint64
	Author   string
	Reason   string
	Keys     []state.Key
}

// Live is what is known only while agents report it.
type Live interface {
	// Report is the last report of a unit.
	Report(u state.UnitRef) (effect.Report, bool)
	// Settled reports whether a unit has carried out its intent of a state.
	Settled(st state.State, u state.UnitRef) bool
	// Machine is what is known of a machine.
	Machine(m state.MachineRef) MachineLive
	// Convergence says how far a model is from converged at a revision.
	Convergence(st state.State, m model.ModelName, revision uint64) Convergence
	// Changed is closed when any of it changes.
	Changed() <-chan struct{}
	// Progress records how far a machine's making is.
	Progress(m state.MachineRef, text string)
	// Lines returns the log's lines after a cursor, and the next cursor.
	Lines(after uint64) (lines []LogLine, next uint64)
}

// MachineLive is what is known of a machine.
type MachineLive struct {
	Reachable bool // its agent is heard
	Progress  string
	Host      *effect.HostFacts
}

// Convergence says whether a model has converged, and what is missing.
type Convergence struct {
	Converged bool
	Waiting   []string
	Blocked   []string
}

// LogLine is a line of the log of a model.
type LogLine struct {
	Model model.ModelName
	Line  effect.LogLine
}

// Catalog is the charms that can be deployed.
type Catalog interface {
	// List returns the newest charm of each name, by name.
	List() []Artifact
	// Find returns the newest charm of a name, or that of a hash.
	Find(nameOrHash string) (Artifact, error)
	// Put stores an archive.
	Put(archive io.Reader) (Artifact, error)
	// Open returns the archive of a hash.
	Open(hash string) (io.ReadCloser, error)
	// Archives lists what was uploaded, by hash.
	Archives() []operator.CharmArchive
}

// Artifact is a charm in the form that can be run.
type Artifact struct {
	Hash     string
	Location string // as charms/host understands it
	BuiltIn  bool
	Declared charm.Charm
	Shared   []effect.Shared
}

// Authority signs certificates.
type Authority interface {
	// Sign certifies the key of a certificate request, for a life, or for that
	// which its kind of bearer has where that is 0.
	Sign(csr []byte, who Identity, life time.Duration) (Signed, error)
	// IssueToken makes what a bearer joins with, and the hash under which the
	// controller knows it.
	IssueToken(bearer string) (token, hash string, err error)
	// SignCharm vouches for a charm's archive by its hash.
	SignCharm(hash string) ([]byte, error)
	// PEM is the authority's own certificate.
	PEM() []byte
}

// Signed is a new certificate.
type Signed struct {
	Certificate []byte // PEM
	Fingerprint string
	Until       time.Time // when it ends
}

// Sealer encrypts secrets at rest; name binds a secret to its place.
type Sealer interface {
	Seal(plain []byte, name string) []byte
	Open(sealed []byte, name string) ([]byte, error)
}

// Planner says what a change of the state would do.
type Planner func(ctx context.Context, m model.ModelName, before, after state.State) (operator.Planned, error)

// Config is what a Service works with.
type Config struct {
	Log       Log
	Live      Live
	Catalog   Catalog
	Authority Authority
	Sealer    Sealer
	Cluster   Cluster
	Backups   Backups   // may be nil: none are made
	Physician Physician // may be nil: nothing is measured
	// History may be nil, with HistoryViews: none is kept.
	History      History
	HistoryViews HistoryViews
	Planner      Planner // may be nil: a plan then has the differences alone
	Policy       Policy  // may be nil: everything that is authorised is allowed
	About        operator.ControllerInfo
	Audit        Audit // may be nil: nothing is recorded
	Shutdown     func()
	Now          func() time.Time
}

// Policy is asked before an operator's change is proposed. Its refusal wraps
// model.ErrFrozen or model.ErrDenied.
type Policy func(ctx context.Context, who Identity, st state.State, c state.Command) error

// Service answers requests. It is safe for concurrent use.
type Service struct {
	c    Config
	log  Log
	held held
}

// New makes a service.
func New(c Config) *Service { return &Service{c: c, log: c.Log} }

// command is an operator's change as it is proposed.
func command(ctx context.Context, who Identity, c operator.Change, ops []state.Op) state.Command {
	key := c.Key
	if key == "" {
		key = uuid.NewString()
	}
	deadline, _ := ctx.Deadline()
	return state.Command{
		Version: state.FormatVersion, Key: who.String() + ":" + key, Origin: state.Operator, Author: who.String(), Reason: c.Reason,
		AtRevision: c.AtRevision, Deadline: deadline, Ops: ops,
	}
}

// What one change may say of itself: it is kept with the revision.
const (
	maxReason = 4096
	maxKey    = 256
)

// change proposes an operator's change in one entry.
func (s *Service) change(ctx context.Context, who Identity, c operator.Change, ops ...state.Op) (state.Result, error) {
	if len(c.Reason) > maxReason || len(c.Key) > maxKey {
		return state.Result{}, fmt.Errorf("reason over %d or key over %d characters: %w", maxReason, maxKey, model.ErrInvalid)
	}
	cmd := command(ctx, who, c, ops)
	if s.c.Policy != nil {
		if err := s.c.Policy(ctx, who, s.log.State(), cmd); err != nil {
			return state.Result{}, err
		}
	}
	if err := s.refused(ctx, cmd); err != nil {
		return state.Result{}, err
	}
	return s.propose(ctx, cmd)
}

// refused is why a command that would be refused is not proposed: a mistake is
// not worth an entry of the log. State that may lag is read again first.
func (s *Service) refused(ctx context.Context, cmd state.Command) error {
	cmd.Now = s.c.Now()
	if _, _, err := s.log.State().Apply(cmd); err == nil {
		return nil
	}
	st, err := s.log.Read(ctx)
	if err != nil {
		return err
	}
	_, _, err = st.Apply(cmd)
	return err
}

// propose commits one command.
func (s *Service) propose(ctx context.Context, cmd state.Command) (state.Result, error) {
	outcomes, err := s.log.Propose(ctx, cmd)
	if err != nil {
		return state.Result{}, err
	}
	return outcomes[0].Result, outcomes[0].Err
}

// changed is change for requests that are answered with Committed.
func (s *Service) changed(ctx context.Context, who Identity, c operator.Change, ops ...state.Op) (operator.Committed, error) {
	r, err := s.change(ctx, who, c, ops...)
	return committed(r), err
}

func committed(r state.Result) operator.Committed {
	return operator.Committed{Index: r.Index, Revision: r.Revision}
}

// application finds an application, or says what there is.
func application(st state.State, m model.ModelName, name model.ApplicationName) (state.Application, error) {
	a, ok := st.Application(state.ApplicationRef{Model: m, Application: name})
	if ok {
		return a, nil
	}
	var known []string
	for _, other := range st.Applications(m) {
		known = append(known, string(other.Name))
	}
	return a, fmt.Errorf("application %s in model %s%s: %w", name, m, model.DidYouMean(string(name), known), model.ErrNotFound)
}

// modelOf finds a model.
func modelOf(st state.State, name model.ModelName) (state.Model, error) {
	m, ok := st.Model(name)
	if !ok {
		return m, fmt.Errorf("model %s: %w", name, model.ErrNotFound)
	}
	return m, nil
}
