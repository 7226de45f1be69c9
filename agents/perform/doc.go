// Package perform carries effects out at the edge of a machine: packages,
// files, volumes, services, tasks and probes. It decides nothing: agents/unit
// says what to do next, this package does it, says what it found before, so
// that it can be undone, and what there is now.
//
// Every method may be interrupted by kill -9 at any point. What is written is
// written aside, flushed and renamed, so that a reader sees the old or the
// new, and doing an effect again gives the same host.
package perform
