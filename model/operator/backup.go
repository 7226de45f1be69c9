package operator

import "github.com/gantry-orchestrator/gantry/model"

// CreateBackup asks for an archive of the control plane. Its keys are sealed to
// a passphrase or to age public keys; with neither they are not.
type CreateBackup struct {
	Passphrase string
	Recipients []string
}

// Backups is what a control plane knows of its backups.
type Backups struct {
	model.Backups
	// Alarms are what a person must look at: a drill that failed, a backup that
	// is overdue. Empty where all is well.
	Alarms []string `json:"alarms,omitempty"`
	// Newer are the units and machines that a restored control plane does not
	// know: they are newer than the backup, run on, and wait for a decision.
	Newer []string `json:"newer,omitempty"`
}
