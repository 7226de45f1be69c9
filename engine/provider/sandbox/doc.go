// Package sandbox makes machines of Linux namespaces on this host, as root.
//
// A machine is a process in mount, network, pid, uts, ipc and cgroup
// namespaces of its own, over an overlay of a base, a package layer and the
// machine's own directory, on a bridge of the install. All mounts live in the
// machine's mount namespace, so that they end with it; what is left on the
// host is a link, control groups and a directory, all labelled.
//
// The first process is this same binary, run again: a main that makes machines
// calls Init before anything else.
package sandbox
