package supervise

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/gantry-orchestrator/gantry/model"
)

// account is whom a service runs as. Groups are the supplementary ones.
type account struct {
	UID    int   `json:"uid"`
	GID    int   `json:"gid"`
	Groups []int `json:"groups"`
}

// lookupAccount resolves the user and group of s. It returns nil when the
// service runs as the supervisor itself; lacking says when that is only because
// an ordinary user cannot become another.
func lookupAccount(s Spec) (a *account, lacking []string, err error) {
	if s.User == "" && s.Group == "" {
		return nil, nil, nil
	}
	a = &account{UID: os.Geteuid(), GID: os.Getegid()}
	if s.User != "" {
		if a, err = lookupUser(s.User); err != nil {
			return nil, nil, fmt.Errorf("service %s: %w", s.ID, err)
		}
	}
	if s.Group != "" {
		if a.GID, err = lookupGroup(s.Group); err != nil {
			return nil, nil, fmt.Errorf("service %s: %w", s.ID, err)
		}
	}
	if os.Geteuid() == 0 {
		return a, nil, nil
	}
	if a.UID != os.Geteuid() || a.GID != os.Getegid() {
		lacking = []string{fmt.Sprintf("user %d group %d: only root may switch to it; runs as user %d", a.UID, a.GID, os.Geteuid())}
	}
	return nil, lacking, nil
}

func lookupUser(name string) (*account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if n, numErr := strconv.Atoi(name); numErr == nil && n >= 0 {
			return lookupUID(n), nil
		}
		return nil, fmt.Errorf("user %s does not exist; create it first: %w", name, model.ErrNotFound)
	}
	return accountOf(u)
}

// lookupUID serves numbers that have no entry: they run with a group of the
// same number.
func lookupUID(n int) *account {
	if u, err := user.LookupId(strconv.Itoa(n)); err == nil {
		if a, err := accountOf(u); err == nil {
			return a
		}
	}
	return &account{UID: n, GID: n}
}

func accountOf(u *user.User) (*account, error) {
	var a account
	var err error
	if a.UID, err = strconv.Atoi(u.Uid); err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Username, err)
	}
	if a.GID, err = strconv.Atoi(u.Gid); err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Username, err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", u.Username, err)
	}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return nil, fmt.Errorf("groups of user %s: %w", u.Username, err)
		}
		a.Groups = append(a.Groups, n)
	}
	return &a, nil
}

func lookupGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		if n, numErr := strconv.Atoi(name); numErr == nil && n >= 0 {
			return n, nil
		}
		return 0, fmt.Errorf("group %s does not exist; create it first: %w", name, model.ErrNotFound)
	}
	return strconv.Atoi(g.Gid)
}
