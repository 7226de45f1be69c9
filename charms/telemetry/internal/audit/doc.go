// Package audit compares what a ledger says was archived with what the archive
// holds: missing, duplicate, phantom and altered packets are faults; packets
// whose outcome the sender could not know are a class of their own. It is pure.
package audit
