package state

import "reflect"

// opKind is what is known of a kind of op.
type opKind struct {
	name    string
	level   int  // of features from which it may be applied
	revises bool // from an operator, it raises the revision
	typ     reflect.Type
	decode  func([]byte) (Op, error)
}

func kind[T Op](name string, revises bool) opKind {
	return opKind{name: name, level: 1, revises: revises, typ: reflect.TypeFor[T](), decode: func(b []byte) (Op, error) {
		var op T
		err := decMode.Unmarshal(b, &op)
		return op, err
	}}
}

// kinds lists every op there is. A name is part of the log's format.
var kinds = []opKind{
	kind[AddModel]("add-model", true),
	kind[SetNetwork]("set-network", false),
	kind[DestroyModel]("destroy-model", true),
	kind[AddCharm]("add-charm", true),
	kind[AddApplication]("add-application", true),
	kind[SetConfig]("set-config", true),
	kind[SetTraits]("set-traits", true),
	kind[SetCharm]("set-charm", true),
	kind[RemoveApplication]("remove-application", true),
	kind[AddUnits]("add-units", true),
	kind[RemoveUnits]("remove-units", true),
	kind[AddRelation]("add-relation", true),
	kind[RemoveRelation]("remove-relation", true),
	kind[AddMachine]("add-machine", true),
	kind[RemoveMachine]("remove-machine", true),
	kind[AcknowledgeLost]("acknowledge-lost", true),
	kind[StartOrder]("start-order", true),
	kind[CancelOrder]("cancel-order", true),
	kind[ResolveTask]("resolve-task", true),
	kind[EnqueueOperation]("enqueue-operation", false),
	kind[SetUser]("set-user", true),
	kind[SetAccess]("set-access", true),
	kind[AddToken]("add-token", false),
	kind[RedeemToken]("redeem-token", false),
	kind[Revoke]("revoke", true),
	kind[RenewCertificate]("renew-certificate", false),
	kind[AnchorAudit]("anchor-audit", false),
	kind[SetController]("set-controller", false),
	kind[RemoveController]("remove-controller", false),
	kind[NoteBackup]("note-backup", false),

	kind[CreateSubordinate]("create-subordinate", false),
	kind[AssignUnit]("assign-unit", false),
	kind[RequestMachine]("request-machine", false),
	kind[Advance]("advance", false),
	kind[GrantLease]("grant-lease", false),
	kind[GrantTurn]("grant-turn", false),
	kind[EndTurn]("end-turn", true),
	kind[AdvanceOrder]("advance-order", false),
	kind[MarkSolved]("mark-solved", false),
	kind[RaiseLevel]("raise-level", false),

	kind[Publish]("publish", false),
	kind[PutSecret]("put-secret", false),
	kind[OpenClaim]("open-claim", false),
	kind[CloseClaim]("close-claim", false),
	kind[FinishOperation]("finish-operation", false),
	kind[MachineJoined]("machine-joined", false),
	kind[MachineDown]("machine-down", false),
	kind[MachineGone]("machine-gone", false),
}

var (
	byName = func() map[string]opKind {
		m := make(map[string]opKind, len(kinds))
		for _, k := range kinds {
			m[k.name] = k
		}
		return m
	}()
	byType = func() map[reflect.Type]opKind {
		m := make(map[reflect.Type]opKind, len(kinds))
		for _, k := range kinds {
			m[k.typ] = k
		}
		return m
	}()
)

func kindNamed(name string) (opKind, bool) {
	k, ok := byName[name]
	return k, ok
}

func kindOf(op Op) (opKind, bool) {
	k, ok := byType[reflect.TypeOf(op)]
	return k, ok
}

func raisesRevision(op Op) bool {
	k, _ := kindOf(op)
	return k.revises
}
