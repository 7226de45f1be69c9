package postgresql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/postgresql/internal/operate"
	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Call implements sdk.Caller.
func (Charm) Call(ctx context.Context, call effect.Invocation) (string, error) {
	if run, ok := requirer.Calls[call.Name]; ok {
		return run(call.Args)
	}
	run, ok := calls[call.Name]
	if !ok {
		return "", fmt.Errorf("call %q: %w", call.Name, model.ErrNotFound)
	}
	return run(ctx, call.Args)
}

var calls = map[string]func(context.Context, map[string]string) (string, error){
	callAdmit:      admit,
	callMember:     memberReady,
	callListed:     listed,
	callConfigure:  configure,
	callConfigured: configured,
	callTakenUp:    hasTakenUp,
	callRestart:    restart,
	callSwitchover: switchover,
	callLeave:      leave,
	callStanza:     stanza,
	callBackup:     scheduledBackup,
	callVerify:     verifyBackup,
	callDatabase:   ensureDatabase,
	callDropUser:   dropUser,
	callMonitoring: ensureMonitoring,
	callPasswords:  changePasswords,
	callShow:       showCertificate,
}

func patroniOf(args map[string]string) operate.Patroni {
	return operate.Patroni{Address: args["address"], Password: args["patroni-password"]}
}

// consensusOf is the cluster's, as the member at an address sees it.
func consensusOf(address string, args map[string]string) operate.Consensus {
	if args["consensus"] == consensusEtcd {
		return operate.Listing{Patroni: operate.Patroni{Address: address, Password: args["patroni-password"]}}
	}
	return operate.Raft{Address: address, Password: args["raft-password"]}
}

func sqlOf(args map[string]string) operate.SQL {
	return operate.SQL{Address: args["address"], Password: args["operator-password"]}
}

func backrestOf(args map[string]string) operate.Backrest {
	return operate.Backrest{Config: args["config"], Stanza: args["stanza"]}
}

// admit lets a member start only where the cluster that it joins can admit it.
func admit(ctx context.Context, args map[string]string) (string, error) {
	if _, err := consensusOf(args["address"], args).Lists(ctx, args["address"]); err != nil {
		return "", err
	}
	_, err := patroniOf(args).Leader(ctx)
	return "", err
}

// memberReady answers "true" once the member votes in a quorum and serves.
func memberReady(ctx context.Context, args map[string]string) (string, error) {
	votes, err := consensusOf(args["address"], args).Lists(ctx, args["address"])
	if err != nil {
		return "", err
	}
	s, err := patroniOf(args).Status(ctx)
	if err != nil {
		return "", err
	}
	members, err := patroniOf(args).Cluster(ctx)
	if err != nil {
		return "", err
	}
	for _, m := range members {
		if m.Role == "leader" {
			return fmt.Sprint(votes && s.Running()), nil
		}
	}
	return "false", nil
}

func listed(ctx context.Context, args map[string]string) (string, error) {
	is, err := consensusOf(args["partner"], args).Lists(ctx, args["address"])
	return fmt.Sprint(is), err
}

func configure(ctx context.Context, args map[string]string) (string, error) {
	return "", patroniOf(args).Configure(ctx, args["body"])
}

// hasTakenUp answers with a member's takenUp.
func hasTakenUp(ctx context.Context, args map[string]string) (string, error) {
	settings, err := configured(ctx, args)
	if err != nil {
		return "", err
	}
	status := patroniOf(args).StatusAfterRound
	if args["before"] == "" {
		status = patroniOf(args).Status // it started with them
	}
	s, err := status(ctx)
	if err != nil {
		return "", err
	}
	if !s.Running() {
		return "", fmt.Errorf("PostgreSQL is %s: %w", s.State, model.ErrUnavailable)
	}
	return quote(takenUp{Settings: settings, Pending: s.PendingRestart}), nil
}

// configured answers with the digest of what the consensus holds of our
// settings, to be compared with that of what they should be.
func configured(ctx context.Context, args map[string]string) (string, error) {
	var d dynamic
	if err := patroniOf(args).Configuration(ctx, &d); err != nil {
		return "", err
	}
	for name := range d.PostgreSQL.Parameters {
		if !ours[name] {
			delete(d.PostgreSQL.Parameters, name)
		}
	}
	return sdk.Digest(d.body()), nil
}

func restart(ctx context.Context, args map[string]string) (string, error) {
	return "", patroniOf(args).Restart(ctx)
}

func switchover(ctx context.Context, args map[string]string) (string, error) {
	return "", patroniOf(args).Switchover(ctx, strings.Fields(args["stay"]))
}

func leave(ctx context.Context, args map[string]string) (string, error) {
	return "", consensusOf(args["partner"], args).Remove(ctx, args["address"])
}

func stanza(ctx context.Context, args map[string]string) (string, error) {
	return args["epoch"], backrestOf(args).Prepare(ctx)
}

// scheduledBackup makes a backup, unless one was made since it was due.
func scheduledBackup(ctx context.Context, args map[string]string) (string, error) {
	due, err := parseTarget(args["due"])
	if err != nil {
		return "", err
	}
	made, err := backrestOf(args).List(ctx)
	if err != nil {
		return "", err
	}
	if n := len(made); n > 0 && !made[n-1].Stop.Before(due) {
		return "", nil
	}
	_, err = backrestOf(args).Backup(ctx, backupKinds[args["type"]])
	return "", err
}

// verifyBackup answers "true" where a restore can start; where it cannot, the
// reason is the error.
// verifyBackup is "true" where there is the backup that a restore asks for, and
// else says why there is none.
func verifyBackup(ctx context.Context, args map[string]string) (string, error) {
	target, err := parseTarget(args["time"])
	if err == nil {
		_, err = backrestOf(args).Verify(ctx, args["backup"], target)
	}
	if err != nil {
		return err.Error(), nil
	}
	return "true", nil
}

// parseTarget reads the time of a restore, in UTC; "" is no time.
func parseTarget(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateTime, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("restore-to-time is %q: expected UTC such as 2026-03-01 12:00:00: %w", s, errors.Join(err, model.ErrInvalid))
	}
	return t, nil
}

func ensureDatabase(ctx context.Context, args map[string]string) (string, error) {
	return "", sqlOf(args).Ensure(ctx, operate.Grant{
		Database: args["database"], User: args["user"], Password: args["password"],
		Roles: list(args["roles"]), Extensions: list(args["extensions"]),
	})
}

// list is what commas and spaces are between.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func dropUser(ctx context.Context, args map[string]string) (string, error) {
	return "", sqlOf(args).DropUser(ctx, args["database"], args["user"])
}

func ensureMonitoring(ctx context.Context, args map[string]string) (string, error) {
	return "", sqlOf(args).EnsureMonitor(ctx, args["user"], args["password"])
}

// changePasswords sets those of the arguments that begin with "user ".
func changePasswords(ctx context.Context, args map[string]string) (string, error) {
	changed := map[string]string{}
	for name, password := range args {
		if user, ok := strings.CutPrefix(name, "user "); ok {
			changed[user] = password
		}
	}
	return "", operate.SQL{Address: args["sockets"]}.ChangePasswords(ctx, changed)
}

func showCertificate(ctx context.Context, args map[string]string) (string, error) {
	return "", sqlOf(args).Show(ctx, args["certificate"])
}
