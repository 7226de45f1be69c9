// Package tables names the kinds of object that the state keeps.
package tables

// Name names a kind of object.
type Name string

// The kinds of object.
const (
	Model       Name = "model"
	Charm       Name = "charm"
	Application Name = "application"
	Unit        Name = "unit"
	Machine     Name = "machine"
	Relation    Name = "relation"
	Bag         Name = "bag"
	Record      Name = "record"
	Claim       Name = "claim"
	Turn        Name = "turn"
	Order       Name = "order"
	Secret      Name = "secret"
	Lease       Name = "lease"
	Operation   Name = "operation"
	Warrant     Name = "warrant"
	Leftover    Name = "leftover"
	User        Name = "user"
	Access      Name = "access"
	Token       Name = "token"
	Agent       Name = "agent"
	Controller  Name = "controller"
	Revision    Name = "revision"
	Answer      Name = "answer"
)
