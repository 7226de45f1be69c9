// Package operate does what etcd's charm asks of real members, by the JSON
// gateway of etcd's own client port, and starts etcd itself.
package operate
