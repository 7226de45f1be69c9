package perform

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/gantry-orchestrator/gantry/model"
)

// account is a user and group by number.
type account struct {
	UID, GID int
	Home     string
	Groups   []uint32
}

// lookup finds an account by name. An empty user is the agent's own; an empty
// group is the user's primary one. The files of the system are read each time,
// because packages add users.
func lookup(userName, groupName string) (account, error) {
	a := account{UID: os.Geteuid(), GID: os.Getegid(), Home: os.Getenv("HOME")}
	if userName != "" {
		u, err := user.Lookup(userName)
		if err != nil {
			return account{}, fmt.Errorf("user %q is not on this machine; the package that brings it must come first: %w", userName, model.ErrNotFound)
		}
		a.UID, _ = strconv.Atoi(u.Uid)
		a.GID, _ = strconv.Atoi(u.Gid)
		a.Home = u.HomeDir
		a.Groups = groupsOf(u)
	}
	if groupName != "" {
		g, err := user.LookupGroup(groupName)
		if err != nil {
			return account{}, fmt.Errorf("group %q is not on this machine; the package that brings it must come first: %w", groupName, model.ErrNotFound)
		}
		a.GID, _ = strconv.Atoi(g.Gid)
	}
	return a, nil
}

func groupsOf(u *user.User) []uint32 {
	ids, err := u.GroupIds()
	if err != nil {
		return nil // the primary group is enough to run
	}
	var groups []uint32
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			groups = append(groups, uint32(n))
		}
	}
	return groups
}

// own reports whether the agent already acts as the account.
func (a account) own() bool { return a.UID == os.Geteuid() && a.GID == os.Getegid() }

// credential makes a child run as the account; nil where it is the agent's own.
func (a account) credential() (*syscall.Credential, error) {
	if a.own() {
		return nil, nil
	}
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("act as uid %d: the agent runs as uid %d without root: %w", a.UID, os.Geteuid(), model.ErrDenied)
	}
	return &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID), Groups: a.Groups}, nil
}

// give makes the account own path, without following a link.
func (a account) give(path string) error {
	if err := os.Lchown(path, a.UID, a.GID); err != nil {
		return fmt.Errorf("give %s to %d:%d: %w: %w", path, a.UID, a.GID, err, model.ErrDenied)
	}
	return nil
}
