// Package model holds the vocabulary that every other package shares: typed
// names, life, status, roles, errors and source positions. It is pure and
// imports nothing of Gantry.
package model
