// Package backup makes archives of a running control plane, makes a control
// plane of an archive, and tries out whether it could. What an archive is,
// package archive says.
package backup
