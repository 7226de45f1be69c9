// Package interfaces holds the typed schemas of the relations that charms
// speak, in the names and keys of the Juju ecosystem. A bag is validated when
// it is published and when a change is planned. It is pure and imports nothing
// of Gantry; an interface without a schema here takes any keys.
//
// A new interface is one file: its Schema, listed in schemas, and typed bags
// for both sides with a Parse and a Bag.
package interfaces
