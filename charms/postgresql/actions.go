package postgresql

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/postgresql/internal/operate"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// operator is what an action has at hand on its unit.
type operator struct {
	unit      member
	params    map[string]string
	passwords operate.Passwords
	patroni   operate.Patroni
}

// RunAction implements sdk.ActionRunner.
func (Charm) RunAction(ctx context.Context, action effect.Invocation) (map[string]string, error) {
	run, ok := actions[action.Name]
	if !ok {
		return nil, fmt.Errorf("action %q: %w", action.Name, model.ErrNotFound)
	}
	o := operator{unit: member{in: action.Input}, params: action.Args}
	var err error
	if o.passwords, err = operate.ReadPasswords(o.unit.patroniYML()); err != nil {
		return nil, err
	}
	o.patroni = operate.Patroni{Address: action.Input.Spec.Address, Password: o.passwords.Patroni}
	return run(o, ctx)
}

var actions = map[string]func(operator, context.Context) (map[string]string, error){
	"create-backup":      operator.createBackup,
	"list-backups":       operator.listBackups,
	"get-primary":        operator.primary,
	"get-password":       operator.password,
	"promote-to-primary": operator.promote,
	"pre-upgrade-check":  operator.check,
	"reinitialize":       operator.reinitialize,
	"pause":              operator.pause,
	"resume":             operator.resume,
}

func (o operator) backrest() (operate.Backrest, error) {
	if _, shared := o.unit.repository(); !shared {
		return operate.Backrest{}, fmt.Errorf("this application has no backup storage that all members share: %w", model.ErrUnavailable)
	}
	b := operate.Backrest{Config: o.unit.backrest(), Stanza: string(o.unit.in.Spec.Unit.Application)}
	if o.unit.in.Host.Superuser {
		b.User = o.unit.user() // an action runs as root, whom PostgreSQL does not know
	}
	return b, nil
}

// backupKinds are Juju's words and pgBackRest's.
var backupKinds = map[string]string{"": "full", "full": "full", "differential": "diff", "incremental": "incr"}

func (o operator) createBackup(ctx context.Context) (map[string]string, error) {
	b, err := o.backrest()
	if err != nil {
		return nil, err
	}
	leader, err := o.patroni.Leader(ctx)
	if err != nil {
		return nil, err
	}
	if leader.Host != o.unit.in.Spec.Address {
		return nil, fmt.Errorf("backups are made on the primary: run this on %s: %w", unitOf(leader), model.ErrConflict)
	}
	made, err := b.Backup(ctx, backupKinds[o.params["type"]])
	if err != nil {
		return nil, err
	}
	return describe(made), nil
}

func describe(b operate.Backup) map[string]string {
	return map[string]string{"backup-id": b.Label, "type": b.Type, "finished": b.Stop.Format(time.DateTime), "size": fmt.Sprint(b.Size)}
}

func (o operator) listBackups(ctx context.Context) (map[string]string, error) {
	b, err := o.backrest()
	if err != nil {
		return nil, err
	}
	all, err := b.List(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, one := range all {
		lines = append(lines, fmt.Sprintf("%s %s %s", one.Label, one.Type, one.Stop.Format(time.DateTime)))
	}
	return map[string]string{"backups": strings.Join(lines, "\n"), "count": fmt.Sprint(len(all))}, nil
}

// unitOf turns Patroni's member name back into the unit's: names are the
// units' with a dash for the slash.
func unitOf(m operate.Member) string {
	i := strings.LastIndex(m.Name, "-")
	return m.Name[:i] + "/" + m.Name[i+1:]
}

func (o operator) primary(ctx context.Context) (map[string]string, error) {
	leader, err := o.patroni.Leader(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"primary": unitOf(leader), "address": sdk.Join(leader.Host, sqlPort)}, nil
}

func (o operator) password(context.Context) (map[string]string, error) {
	name := o.params["username"]
	if name == "" {
		name = "operator"
	}
	password, ok := o.passwords.Roles[name]
	if !ok {
		return nil, fmt.Errorf("role %q: expected operator, replication or rewind: %w", name, model.ErrInvalid)
	}
	return map[string]string{"username": name, "password": password}, nil
}

func (o operator) promote(ctx context.Context) (map[string]string, error) {
	name := o.unit.in.Spec.Unit.Dashed()
	if err := o.patroni.Promote(ctx, name, o.params["force"] == "true"); err != nil {
		return nil, err
	}
	return map[string]string{"primary": o.unit.in.Spec.Unit.String()}, nil
}

func (o operator) check(ctx context.Context) (map[string]string, error) {
	members, err := o.patroni.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	var problems []string
	standbys := 0
	for _, m := range members {
		if m.State != "running" && m.State != "streaming" {
			problems = append(problems, fmt.Sprintf("%s is %s", unitOf(m), m.State))
		}
		if m.PendingRestart {
			problems = append(problems, unitOf(m)+" waits for a restart")
		}
		if m.Role == "sync_standby" {
			standbys++
		}
	}
	if standbys == 0 && len(members) > 1 {
		problems = append(problems, "no standby confirms commits")
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("not ready: %s: %w", strings.Join(problems, "; "), model.ErrConflict)
	}
	return map[string]string{"members": fmt.Sprint(len(members)), "ready": "true"}, nil
}

func (o operator) reinitialize(ctx context.Context) (map[string]string, error) {
	return map[string]string{"unit": o.unit.in.Spec.Unit.String()}, o.patroni.Reinitialize(ctx)
}

func (o operator) pause(ctx context.Context) (map[string]string, error) {
	return map[string]string{"failover": "paused"}, o.patroni.Pause(ctx, true)
}

func (o operator) resume(ctx context.Context) (map[string]string, error) {
	return map[string]string{"failover": "automatic"}, o.patroni.Pause(ctx, false)
}
