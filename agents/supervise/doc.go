// Package supervise owns the service processes of one machine: it starts them,
// restarts what crashes, limits them, keeps their logs, and stops them whole.
//
// It is PID 1 in a sandbox machine and a daemon on a loopback machine. Nothing
// that it owns depends on its life: a supervisor that is killed and started
// again, or that replaces itself by a newer binary, adopts the running
// processes by identity (boot, pid, start time, cgroup) and restarts none.
//
// How it holds together:
//
//   - decide.go says what to do next for given records and time; it is pure.
//   - supervisor.go is the one loop that owns all state. Requests, exits and
//     reports are closures sent to that loop.
//   - A process is forked into a stage of this same binary (child.go) which
//     waits until its identity is on disk before it becomes the service. So no
//     service process ever exists that a later supervisor does not know.
//   - Processes append to their log file themselves, through no pipe: a dead
//     supervisor can neither block them nor break their output (rotate.go).
package supervise
