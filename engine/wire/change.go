package wire

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/wire/internal/pb"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func changeOf(c *pb.Change) operator.Change {
	return operator.Change{Key: c.GetKey(), Reason: c.GetReason(), AtRevision: c.GetAtRevision()}
}

func pbChange(c operator.Change) *pb.Change {
	return &pb.Change{Key: c.Key, Reason: c.Reason, AtRevision: c.AtRevision}
}

func committedOf(c *pb.Committed) operator.Committed {
	return operator.Committed{Index: c.GetIndex(), Revision: c.GetRevision()}
}

func pbCommitted(c operator.Committed) *pb.Committed {
	return &pb.Committed{Index: c.Index, Revision: c.Revision}
}

// answerCommitted is the end of every adapter that answers with Committed.
func answerCommitted(c operator.Committed, err error) (*pb.Committed, error) {
	if err != nil {
		return nil, err
	}
	return pbCommitted(c), nil
}

// readCommitted is the end of every client call that is answered with Committed.
func readCommitted(c *pb.Committed, err error) (operator.Committed, error) {
	return committedOf(c), err
}

// encode is the JSON of a deep value.
func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// decode reads the JSON of a deep value.
func decode[T any](b []byte) (v T, err error) {
	if err = json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("decode %T: %w: %w", v, err, model.ErrInvalid)
	}
	return v, nil
}

// names parses a list of names.
func names[T any](texts []string, parse func(string) (T, error)) ([]T, error) {
	out := make([]T, 0, len(texts))
	for _, text := range texts {
		v, err := parse(text)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// texts is the inverse of names.
func texts[T fmt.Stringer](list []T) []string {
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, v.String())
	}
	return out
}

// inModel parses the names of a model and of an application in it.
func inModel(modelText, applicationText string) (model.ModelName, model.ApplicationName, error) {
	m, err := model.ParseModelName(modelText)
	if err != nil {
		return "", "", err
	}
	a, err := model.ParseApplicationName(applicationText)
	return m, a, err
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
