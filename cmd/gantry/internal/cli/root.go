package cli

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

// Config is what the commands work with. The zero value of each field takes
// the process's own.
type Config struct {
	Version     string
	Stdin       io.Reader
	Stdout      io.Writer
	Stderr      io.Writer
	Getenv      func(string) string
	Now         func() time.Time
	ContextPath func() string    // the context file where neither --context nor GANTRY_CONTEXT names one
	Extra       []*cobra.Command // commands that are not the client's, such as up
	// Charms are the files of a charm that is built in, nil for another. They
	// tell where in an operator's files a mistake is, and nothing else.
	Charms func(model.CharmName) fs.FS
	// Local is what doctor finds on this host by itself; it may be nil.
	Local func() []operator.Finding
}

func (c Config) withDefaults() Config {
	if c.Stdin == nil {
		c.Stdin = os.Stdin
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Version == "" {
		c.Version = "unknown"
	}
	return c
}

// The groups that help lists commands in; those of Extra are the first.
const (
	groupControl = "control"
	groupChange  = "change"
	groupLook    = "look"
	groupOperate = "operate"
	groupPlace   = "place"
	groupUsers   = "users"
)

// New makes the root command with all commands under it.
func New(c Config) *cobra.Command {
	sh := &shell{Config: c.withDefaults()}
	root := &cobra.Command{
		Use:   "gantry",
		Short: "Declare applications and relations; Gantry brings them up and keeps them so",
		Long: `Gantry runs applications from charms on machines, as a model declares them.

Exit codes: 0 done, 1 failed, 2 a plan has changes, 3 refused by policy, 4 timeout.`,
		Args:              noCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return sh.check() },
	}
	root.AddGroup(
		&cobra.Group{ID: groupControl, Title: "Start and stop:"},
		&cobra.Group{ID: groupChange, Title: "Change a model:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupOperate, Title: "Operate:"},
		&cobra.Group{ID: groupPlace, Title: "Models and machines:"},
		&cobra.Group{ID: groupUsers, Title: "Users and access:"},
	)
	sh.register(root.PersistentFlags())
	root.SetIn(sh.Stdin)
	root.SetOut(sh.Stdout)
	root.SetErr(sh.Stderr)
	root.SetFlagErrorFunc(flagError)
	for _, group := range commands {
		for _, construct := range group.commands {
			cmd := construct(sh)
			cmd.GroupID = group.id
			sh.complete(cmd)
			root.AddCommand(cmd)
		}
	}
	for _, cmd := range c.Extra {
		if cmd.GroupID == "" && !cmd.Hidden {
			cmd.GroupID = groupControl
		}
		root.AddCommand(cmd)
	}
	root.AddCommand(newVersion(sh), newDocs(sh))
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"text", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	_ = root.RegisterFlagCompletionFunc("model", sh.completion(func([]string) []string { return []string{"MODEL"} }))
	return root
}

// commands are all of the client's, by group, in the order of their work.
var commands = []struct {
	id       string
	commands []func(*shell) *cobra.Command
}{
	{groupChange, []func(*shell) *cobra.Command{
		newApply, newPlan, newExportBundle, newDeploy, newConfig, newSetConstraints, newConstraints, newTrust, newExpose, newUnexpose,
		newIntegrate, newRemoveRelation, newAddUnit, newRemoveUnit, newRemoveApplication,
	}},
	{groupLook, []func(*shell) *cobra.Command{
		newStatus, newDoctor, newShowUnit, newShowApplication, newWait, newDebugLog, newHistory, newEvents, newShowStatusLog, newQuery, newRetention,
	}},
	{groupOperate, []func(*shell) *cobra.Command{
		newRun, newExec, newShowOperation, newOperations, newOrder, newTurn, newTask, newCharm,
	}},
	{groupControl, []func(*shell) *cobra.Command{newEnableHA, newControllers, newBackup, newMetrics}},
	{groupPlace, []func(*shell) *cobra.Command{
		newModels, newAddModel, newSwitch, newDestroyModel, newMachines, newAddMachine, newRemoveMachine,
	}},
	{groupUsers, []func(*shell) *cobra.Command{
		newLogin, newLogout, newWhoAmI, newContexts, newUsers, newShowUser, newAddUser, newRegisterUser, newDisableUser, newEnableUser,
		newRemoveUser, newGrant, newRevoke, newToken, newAudit,
	}},
}

// noCommand refuses a word that is no command.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			known = append(append(known, c.Name()), c.Aliases...)
		}
	}
	return fmt.Errorf("%s has no command %q, see %s --help%s: %w",
		cmd.CommandPath(), args[0], cmd.CommandPath(), model.DidYouMean(args[0], known), model.ErrInvalid)
}

// flagError names the nearest flag and the command's help.
func flagError(cmd *cobra.Command, err error) error {
	hint := ""
	if word, ok := strings.CutPrefix(err.Error(), "unknown flag: --"); ok {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		hint = model.DidYouMean(word, known)
	}
	return fmt.Errorf("%s: %w, see %s --help%s: %w", cmd.CommandPath(), err, cmd.CommandPath(), hint, model.ErrInvalid)
}
