package operate

import (
	"fmt"
	"os"

	"gopkg.in/yaml.v3"

	"github.com/gantry-orchestrator/gantry/model"
)

// Passwords are those that a member's patroni.yml holds; actions, which have
// no secrets of their own, read them there.
type Passwords struct {
	Patroni string
	Raft    string
	Roles   map[string]string // operator, replication and rewind
}

// ReadPasswords reads patroni.yml.
func ReadPasswords(path string) (Passwords, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Passwords{}, fmt.Errorf("the unit is not set up yet: %w: %w", err, model.ErrUnavailable)
	}
	type login struct {
		Username string `yaml:"username"`
		Password string `yaml:"password"`
	}
	var file struct {
		RestAPI struct {
			Authentication login `yaml:"authentication"`
		} `yaml:"restapi"`
		Raft struct {
			Password string `yaml:"password"`
		} `yaml:"raft"`
		PostgreSQL struct {
			Authentication map[string]login `yaml:"authentication"`
		} `yaml:"postgresql"`
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		return Passwords{}, fmt.Errorf("%s: %w", path, err)
	}
	p := Passwords{Patroni: file.RestAPI.Authentication.Password, Raft: file.Raft.Password, Roles: map[string]string{}}
	for _, l := range file.PostgreSQL.Authentication {
		p.Roles[l.Username] = l.Password
	}
	return p, nil
}
