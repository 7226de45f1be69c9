// Package depot fetches what no package of a distribution has, jars from a
// Maven repository or an archive, verifies every file against its hash, and
// keeps each content in a directory that names it.
//
// Machines and the layers that they stand on are filled by the same code. A
// directory appears by a rename, whole and read-only; what was interrupted is
// taken up again. Jars come through Maven's own client, so that mirrors,
// proxies and credentials are those that the machine has set up for it.
package depot
