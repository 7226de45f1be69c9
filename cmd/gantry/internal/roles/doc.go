// Package roles holds the processes that gantry is besides a CLI: controller,
// host agent, machine agent, supervisor and built-in charms, and the commands
// up and down that start and end them on this host.
package roles
