package postgresql

import (
	"path"
	"strconv"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

const binaries = "/usr/lib/postgresql/15/bin"

// user runs PostgreSQL: postgres, or the agent's own where it cannot change.
func (m *member) user() string {
	if m.in.Host.Superuser {
		return "postgres"
	}
	return m.in.Host.User
}

// home is the volume: PostgreSQL's data, Patroni's log and the password file.
func (m *member) home() string       { return path.Join(m.in.Host.Data, "pgdata") }
func (m *member) dataDir() string    { return path.Join(m.home(), "data") }
func (m *member) raftDir() string    { return path.Join(m.home(), "raft") }
func (m *member) configDir() string  { return path.Join(m.in.Host.Config, "postgresql") }
func (m *member) socketDir() string  { return path.Join(m.in.Host.Run, "postgresql") }
func (m *member) backrest() string   { return path.Join(m.configDir(), "pgbackrest.conf") }
func (m *member) patroniYML() string { return path.Join(m.configDir(), "patroni.yml") }

// repository is the directory that all members share for backups, if any.
func (m *member) repository() (dir string, shared bool) {
	for _, s := range m.in.Spec.Shared {
		if s.Name == "backup" {
			return s.Path, true
		}
	}
	return "", false
}

// directories are those that the files and the service need.
func (m *member) directories(after []effect.ID) []effect.ID {
	dir := func(id effect.ID, p string, mode uint32) effect.ID {
		return m.b.Dir(effect.File{ID: id, Path: p, Mode: mode, Owner: m.user(), Group: m.user(), After: after})
	}
	volume := m.b.Volume(effect.Volume{
		ID: volumeID, Path: m.home(), Owner: m.user(), Group: m.user(), Incarnation: m.incarnation(), After: after,
	})
	return []effect.ID{dir("dir/config", m.configDir(), 0o750), dir("dir/sockets", m.socketDir(), 0o755), volume}
}

// number parses what a bag says of a number, -1 where it says nothing.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
