package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
)

// Patroni is the REST API of one member.
type Patroni struct {
	Address  string // of the member, an IP
	Password string // of the user patroni
}

// Member is what Patroni says of one member of the cluster.
type Member struct {
	Name           string `json:"name"`
	Role           string `json:"role"` // leader, sync_standby or replica
	State          string `json:"state"`
	Host           string `json:"host"`
	Timeline       int    `json:"timeline"`
	PendingRestart bool   `json:"pending_restart"`
	Tags           Tags   `json:"tags"`
}

// Tags are what a member's configuration says of the part that it may play.
type Tags struct {
	NoFailover bool `json:"nofailover"` // it is never promoted
}

const patroniPort = 8008

// poll is how often the REST API is asked while something is under way.
const poll = 500 * time.Millisecond

// Cluster lists the members.
func (p Patroni) Cluster(ctx context.Context) ([]Member, error) {
	var cluster struct {
		Members []Member `json:"members"`
	}
	_, err := p.do(ctx, http.MethodGet, "/cluster", nil, &cluster)
	return cluster.Members, err
}

// Leader is the member that takes writes.
func (p Patroni) Leader(ctx context.Context) (Member, error) {
	members, err := p.Cluster(ctx)
	if err != nil {
		return Member{}, err
	}
	for _, m := range members {
		if m.Role == "leader" {
			return m, nil
		}
	}
	return Member{}, errors.New("the cluster has no primary now; try again once it has elected one")
}

// Configure merges body into the cluster's dynamic configuration.
func (p Patroni) Configure(ctx context.Context, body string) error {
	_, err := p.do(ctx, http.MethodPatch, "/config", json.RawMessage(body), nil)
	return err
}

// Configuration reads the cluster's dynamic configuration.
func (p Patroni) Configuration(ctx context.Context, into any) error {
	_, err := p.do(ctx, http.MethodGet, "/config", nil, into)
	return err
}

// Status is GET /patroni: state, role and whether a restart is pending. A
// member that does not serve answers too.
func (p Patroni) Status(ctx context.Context) (Status, error) {
	var s Status
	_, err := p.do(ctx, http.MethodGet, "/patroni", nil, &s)
	return s, err
}

// StatusAfterRound is the status a moment later: Patroni shows the
// configuration of its last round at once and marks a pending restart at that
// round's end.
func (p Patroni) StatusAfterRound(ctx context.Context) (Status, error) {
	select {
	case <-ctx.Done():
		return Status{}, ctx.Err()
	case <-time.After(time.Second):
		return p.Status(ctx)
	}
}

// Status is what a member says of itself.
type Status struct {
	State          string    `json:"state"`
	Role           string    `json:"role"` // Debian's 3.0.2 says master for the primary
	PendingRestart bool      `json:"pending_restart"`
	Started        string    `json:"postmaster_start_time"`
	Replication    []Standby `json:"replication"`
}

// Standby is a replication connection, as the primary lists it.
type Standby struct {
	Name  string `json:"application_name"`
	State string `json:"state"`
}

// Primary reports whether the member takes writes.
func (s Status) Primary() bool { return s.Role == "master" || s.Role == "primary" }

// Running reports whether the member serves.
func (s Status) Running() bool { return s.State == "running" }

// Switchover moves the primary away from this member, to one of those that stay
// where they are named. When it returns another is the primary, and this member
// may yet have to become a standby.
func (p Patroni) Switchover(ctx context.Context, stay []string) error {
	leader, err := p.Leader(ctx)
	if err != nil {
		return fmt.Errorf("switchover: %w", err)
	}
	if leader.Host != p.Address {
		return nil
	}
	request := map[string]string{"leader": leader.Name}
	if request["candidate"], err = p.successor(ctx, stay); err != nil {
		return fmt.Errorf("switchover from %s: %w", leader.Name, err)
	}
	if _, err := p.do(ctx, http.MethodPost, "/switchover", request, nil); err != nil {
		return fmt.Errorf("switchover from %s: %w", leader.Name, err)
	}
	return nil
}

// successor is who is to take over. While commits wait for a standby it is one
// of those, as no other has every commit and Patroni promotes no other: where
// the one that there was leaves, it waits for the next. It is "", for any, where
// commits wait for nobody.
func (p Patroni) successor(ctx context.Context, stay []string) (name string, err error) {
	var settings struct {
		Synchronous bool `json:"synchronous_mode"`
	}
	if err := p.Configuration(ctx, &settings); err != nil || !settings.Synchronous {
		return "", err
	}
	err = until(ctx, "a standby that stays confirms commits", func(ctx context.Context) (bool, error) {
		members, err := p.Cluster(ctx)
		for _, m := range members {
			if m.Role == "sync_standby" && !m.Tags.NoFailover && (len(stay) == 0 || slices.Contains(stay, m.Name)) {
				name = m.Name
			}
		}
		return name != "", err
	})
	return name, err
}

// Promote moves the primary to the named member. Where force is set it is a
// failover, which does without the old primary.
func (p Patroni) Promote(ctx context.Context, name string, force bool) error {
	if force {
		_, err := p.do(ctx, http.MethodPost, "/failover", map[string]string{"candidate": name}, nil)
		return err
	}
	leader, err := p.Leader(ctx)
	if err != nil {
		return err
	}
	if leader.Name == name {
		return nil
	}
	// The member that is asked begins at once, another one hears of it in its
	// next round: so the leader is asked, whose step is the first.
	p.Address = leader.Host
	_, err = p.do(ctx, http.MethodPost, "/switchover", map[string]string{"leader": leader.Name, "candidate": name}, nil)
	return err
}

func (p Patroni) waitStandby(ctx context.Context) error {
	return until(ctx, "it serves as a standby", func(ctx context.Context) (bool, error) {
		s, err := p.Status(ctx)
		return err == nil && s.Running() && !s.Primary(), err
	})
}

// Restart restarts PostgreSQL on this member; a primary hands over first, so
// that writes pause as for a switchover only.
func (p Patroni) Restart(ctx context.Context) error {
	before, err := p.Status(ctx)
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if members, err := p.Cluster(ctx); err != nil {
		return fmt.Errorf("restart: %w", err)
	} else if before.Primary() && len(members) > 1 {
		if err := p.Switchover(ctx, nil); err != nil {
			return err
		}
		if err := p.waitStandby(ctx); err != nil {
			return err
		}
		if now, err := p.Status(ctx); err == nil && !now.PendingRestart && now.Started != before.Started {
			return nil // it became a standby by a restart
		}
	}
	if _, err := p.do(ctx, http.MethodPost, "/restart", struct{}{}, nil); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	return until(ctx, "it serves after the restart", func(ctx context.Context) (bool, error) {
		s, err := p.Status(ctx)
		return err == nil && s.Running() && s.Started != before.Started, err
	})
}

// Reinitialize copies this standby anew from the primary.
func (p Patroni) Reinitialize(ctx context.Context) error {
	_, err := p.do(ctx, http.MethodPost, "/reinitialize", map[string]bool{"force": true}, nil)
	return err
}

// Pause stops or resumes automatic failover.
func (p Patroni) Pause(ctx context.Context, paused bool) error {
	_, err := p.do(ctx, http.MethodPatch, "/config", map[string]bool{"pause": paused}, nil)
	return err
}

// do sends one request. An answer of 300 or more is an error with its text,
// but for GET, where a member that does not serve says 503 and still answers.
func (p Patroni) do(ctx context.Context, method, path string, body, answer any) (int, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		reader = bytes.NewReader(b)
	}
	url := "http://" + sdk.Join(p.Address, patroniPort) + path
	request, err := http.NewRequestWithContext(ctx, method, url, reader)
	if err != nil {
		return 0, err
	}
	request.SetBasicAuth("patroni", p.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return response.StatusCode, err
	}
	if response.StatusCode >= 300 && method != http.MethodGet {
		return response.StatusCode, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(text)))
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			return response.StatusCode, fmt.Errorf("%s %s: %s: the answer is not JSON: %w", method, path, response.Status, err)
		}
	}
	return response.StatusCode, nil
}

// until asks until the condition holds or ctx ends; the error then has what
// was seen last.
func until(ctx context.Context, what string, holds func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		ok, err := holds(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited until %s: %w", what, errors.Join(ctx.Err(), err))
		case <-ticker.C:
		}
	}
}
