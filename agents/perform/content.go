package perform

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Secrets opens the secrets that a unit may read.
type Secrets interface {
	// Open returns the bytes of one field. It fails with
	// model.ErrUnavailable while the controller cannot be reached and the
	// field was not read before.
	Open(ctx context.Context, ref effect.SecretRef) ([]byte, error)
}

// Render fills the secrets into content.
func Render(ctx context.Context, secrets Secrets, content effect.Content) ([]byte, error) {
	var out []byte
	for _, segment := range content {
		out = append(out, segment.Text...)
		if segment.Secret == nil {
			continue
		}
		raw, err := secrets.Open(ctx, *segment.Secret)
		if err != nil {
			return nil, fmt.Errorf("open field %s of %s: %w", segment.Secret.Field, segment.Secret.ID, err)
		}
		text, err := encode(raw, segment.Secret.Encoding)
		if err != nil {
			return nil, fmt.Errorf("encode field %s of %s: %w", segment.Secret.Field, segment.Secret.ID, err)
		}
		out = append(out, text...)
	}
	return out, nil
}

// renderAll fills the secrets into named contents.
func renderAll(ctx context.Context, secrets Secrets, contents map[string]effect.Content) (map[string]string, error) {
	out := make(map[string]string, len(contents))
	for name, content := range contents {
		text, err := Render(ctx, secrets, content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = string(text)
	}
	return out, nil
}

func encode(raw []byte, encoding effect.Encoding) ([]byte, error) {
	switch encoding {
	case effect.Raw:
		return raw, nil
	case effect.Base64:
		return base64.StdEncoding.AppendEncode(nil, raw), nil
	case effect.URL:
		// QueryEscape writes a space as "+", which only forms read back.
		return []byte(strings.ReplaceAll(url.QueryEscape(string(raw)), "+", "%20")), nil
	case effect.Quoted:
		return json.Marshal(string(raw))
	case effect.SQL:
		return sqlLiteral(string(raw))
	default:
		return nil, fmt.Errorf("encoding %q: expected base64, url, quote, sql or none: %w", encoding, model.ErrInvalid)
	}
}

// sqlLiteral writes a standard SQL string literal. With a backslash in it the
// meaning of a plain literal would depend on standard_conforming_strings, so
// PostgreSQL's E form is used there.
func sqlLiteral(s string) ([]byte, error) {
	if strings.ContainsRune(s, 0) {
		return nil, fmt.Errorf("an SQL literal cannot hold a zero byte: %w", model.ErrInvalid)
	}
	quoted := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.ContainsRune(s, '\\') {
		return []byte(" E" + strings.ReplaceAll(quoted, `\`, `\\`)), nil
	}
	return []byte(quoted), nil
}
