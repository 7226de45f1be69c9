package roles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gantry-orchestrator/gantry/engine/backup"
	"github.com/gantry-orchestrator/gantry/engine/backup/archive"
	"github.com/gantry-orchestrator/gantry/engine/client"
	"github.com/gantry-orchestrator/gantry/model"
)

type restoreOptions struct {
	places     func() Places
	up         upOptions
	advertise  string
	passphrase string
	identity   string
	out        io.Writer
}

func restore(places func() Places) *cobra.Command {
	o := restoreOptions{places: places}
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a controller of a backup, on this host",
		Long: `Make a controller of a backup, on this host, for gantry up to run. It has the
models, users, keys and charms of the backup, begins the next epoch of the
control plane, and may have other addresses than the lost one.

Every byte of the archive is checked first, and a directory that holds a
controller is never written over. Machines, disks and services are not touched:
units that are newer than the backup run on, and gantry backup list shows them,
until gantry backup settle lets them go.`,
		Example: `  gantry restore /mnt/safe/gantry-20260301T120000Z-412.gantry-backup --passphrase-file /root/backup.pass
  gantry up`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.out = cmd.OutOrStdout()
			return o.run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().IntVar(&o.up.port, "port", 0, "port of the controller (default: that of the install, or 17170)")
	cmd.Flags().StringVar(&o.up.provider, "provider", "", "what makes machines on a new host: sandbox or loopback (default: what suits it)")
	cmd.Flags().StringVar(&o.up.base, "base", "", "what a sandbox machine shows on a new host: debian or host")
	cmd.Flags().StringVar(&o.advertise, "advertise", "", "host:port at which operators and other hosts reach the controller")
	cmd.Flags().StringVar(&o.passphrase, "passphrase-file", "", "file with the passphrase of the backup's keys")
	cmd.Flags().StringVar(&o.identity, "identity-file", "", "file with the age identity of the backup's keys")
	return cmd
}

func (o restoreOptions) run(ctx context.Context, file string) error {
	p := o.places()
	if o.advertise != "" {
		if _, _, err := net.SplitHostPort(o.advertise); err != nil {
			return fmt.Errorf("--advertise %q: expected host:port: %w", o.advertise, model.ErrInvalid)
		}
	}
	opener, err := o.opener()
	if err != nil {
		return err
	}
	undo := p.begin()
	began := time.Now()
	install, r, err := o.restored(ctx, p, file, opener, began)
	if err != nil {
		undo()
		return err
	}
	install.Controller, install.Epoch, install.Advertise = r.Controller, r.Epoch.String(), o.advertise
	if err := p.saveInstall(install); err != nil {
		return err
	}
	if err := p.readdressAdmin(install); err != nil {
		return err
	}
	m := r.Manifest
	fmt.Fprintf(o.out, "restore: %s models of revision %d, index %d, backed up %s, in %.1f s\n",
		count(len(m.Models)), m.Revision, m.Index, m.Time.Format(time.RFC3339), time.Since(began).Seconds())
	fmt.Fprintf(o.out, "restore: epoch %v; a controller of an earlier one is obeyed by nobody who hears of it, stop it for good\n", r.Epoch)
	fmt.Fprintf(o.out, "restore: run gantry up%s to start it on port %d; machines of other hosts: gantry agent reattach\n", p.flag(), install.Port)
	return nil
}

func (o restoreOptions) restored(ctx context.Context, p Places, file string, opener archive.Opener, now time.Time) (i Install, r backup.Restored, err error) {
	if err = p.make(); err != nil {
		return i, r, err
	}
	if i, err = o.install(p); err != nil {
		return i, r, err
	}
	r, err = backup.Restore(ctx, file, p.controller(), opener, now)
	return i, r, err
}

// readdressAdmin has the first operator's context, which comes out of the
// backup with the lost controller's addresses, lead to the restored one alone.
func (p Places) readdressAdmin(i Install) error {
	c, err := client.Load(p.AdminContext())
	if errors.Is(err, model.ErrNotFound) {
		return nil // the controller makes one
	}
	if err != nil {
		return err
	}
	c.Addresses, c.Controllers, c.Epoch = advertised(i), nil, i.Epoch
	return c.Save(p.AdminContext())
}

func count(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprint(n)
}

// install is that of an earlier up, at the port that was asked for.
func (o restoreOptions) install(p Places) (Install, error) {
	up := o.up
	if up.out = o.out; up.port == 0 {
		up.port = defaultPort
	}
	chosen, err := up.install(p)
	if err == nil && o.up.port != 0 {
		chosen.Port = o.up.port
	}
	return chosen, err
}

func (o restoreOptions) opener() (archive.Opener, error) {
	var texts [2]string
	for i, path := range []string{o.passphrase, o.identity} {
		if path == "" {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return archive.Opener{}, fmt.Errorf("open the backup's keys: %w", err)
		}
		texts[i] = strings.TrimRight(string(b), "\r\n")
	}
	return archive.NewOpener(texts[0], texts[1])
}

// lost refuses to start a controller anew where one was: an empty one would
// take every machine for one that nobody wants.
func (p Places) lost(i Install) error {
	_, err := os.Stat(filepath.Join(p.controller(), "id"))
	if i.Controller == "" || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("the state of controller %s is gone from %s: run gantry restore FILE, its machines run on meanwhile; or gantry down --destroy to begin anew: %w",
		i.Controller, p.controller(), model.ErrUnavailable)
}
