package sdk

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// SecretNamed is the handle of a secret of the unit or its application, and
// false until it is made.
func SecretNamed(in effect.Input, name string) (effect.Secret, bool) {
	for _, s := range in.Spec.Secrets {
		if s.Name == name && s.Owner == in.Spec.Unit.Application && (s.Unit.IsZero() || s.Unit == in.Spec.Unit) {
			return s, true
		}
	}
	return effect.Secret{}, false
}

// SecretByID is the handle of a secret whose ID a bag named, and false where
// the unit may not read it.
func SecretByID(in effect.Input, id string) (effect.Secret, bool) {
	for _, s := range in.Spec.Secrets {
		if s.ID == id {
			return s, true
		}
	}
	return effect.Secret{}, false
}

// Secret is a field of a secret, for Text. The agent writes the bytes; the
// charm never sees them.
func Secret(s effect.Secret, field string) effect.Segment { return Encoded(s, field, effect.Raw) }

// Encoded is a field of a secret, written in an encoding.
func Encoded(s effect.Secret, field string, e effect.Encoding) effect.Segment {
	return effect.Segment{Secret: &effect.SecretRef{ID: s.ID, Revision: s.Revision, Field: field, Encoding: e}}
}

// Text joins strings, secrets' fields, contents and anything that fmt.Sprint
// prints well, such as numbers and names. Equal texts give equal contents,
// however they were cut.
func Text(parts ...any) effect.Content {
	var c effect.Content
	for _, part := range parts {
		switch p := part.(type) {
		case effect.Segment:
			c = appendSegment(c, p)
		case effect.Content:
			for _, s := range p {
				c = appendSegment(c, s)
			}
		default:
			c = appendSegment(c, effect.Segment{Text: fmt.Sprint(p)})
		}
	}
	return c
}

func appendSegment(c effect.Content, s effect.Segment) effect.Content {
	switch last := len(c) - 1; {
	case s.Secret == nil && s.Text == "":
		return c
	case s.Secret == nil && last >= 0 && c[last].Secret == nil:
		c[last].Text += s.Text
		return c
	default:
		return append(c, s)
	}
}

// Digest tells texts apart in a name or a key: 12 hexadecimal digits of the
// SHA-256.
func Digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:6])
}
