// Package provider says what it takes to make a machine: the Spec that is
// asked for, the Instance that there is, and the Provider that turns one into
// the other. The packages below it are the providers: sandbox, loopback and,
// for tests, fake; providertest holds the suite that all of them pass.
//
// A provider is level triggered and safe to kill at any step: Create finishes
// what an earlier Create began, Destroy finishes what an earlier Destroy began,
// and machines outlive the process that made them.
package provider
