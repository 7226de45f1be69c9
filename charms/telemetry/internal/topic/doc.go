// Package topic sends packets through a topic of Kafka: a producer that tells
// a ledger what the brokers acknowledged, and what an archiver needs to read
// the packets back, each once.
package topic
