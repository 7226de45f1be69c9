// Package ledger is the record, kept outside the system under test, of what
// became of every packet. It is an append-only text file of one checksummed
// record a line. What an archive acknowledged is on disk before anybody is
// told, and an audit of the archive needs nothing but this file.
package ledger
