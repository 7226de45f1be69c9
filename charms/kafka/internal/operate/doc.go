// Package operate does what Kafka's charm asks of real nodes, over their own
// listeners: members of the quorum of controllers, replicas of brokers, and
// topics, users and permissions of clients.
package operate
