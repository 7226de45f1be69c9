package perform

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// MakeSecret makes the bytes of a secret's fields.
func MakeSecret(ctx context.Context, secrets Secrets, spec effect.SecretSpec) (map[string][]byte, error) {
	fields := map[string][]byte{}
	for name, field := range spec.Fields {
		switch {
		case field.Random > 0:
			value, err := random(field.Random)
			if err != nil {
				return nil, err
			}
			fields[name] = value
		case len(field.Content) > 0:
			value, err := Render(ctx, secrets, field.Content)
			if err != nil {
				return nil, fmt.Errorf("secret %s, field %s: %w", spec.Name, name, err)
			}
			fields[name] = value
		default:
			return nil, fmt.Errorf("secret %s, field %s is neither random nor has content: %w", spec.Name, name, model.ErrInvalid)
		}
	}
	return fields, nil
}

// random draws n letters and digits, each equally likely.
func random(n int) ([]byte, error) {
	out := make([]byte, n)
	most := big.NewInt(int64(len(letters)))
	for i := range out {
		k, err := rand.Int(rand.Reader, most)
		if err != nil {
			return nil, fmt.Errorf("draw random letters: %w", err)
		}
		out[i] = letters[k.Int64()]
	}
	return out, nil
}
