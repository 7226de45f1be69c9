package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/gantry-orchestrator/gantry/model"
)

// Seal encrypts the keys of an archive. The zero value does not: the archive
// is then as secret as the keys themselves.
type Seal struct{ recipients []age.Recipient }

// NewSeal seals to a passphrase or to age public keys, not to both.
func NewSeal(passphrase string, recipients []string) (s Seal, err error) {
	if passphrase != "" && len(recipients) > 0 {
		return s, fmt.Errorf("seal a backup: a passphrase or public keys, not both: %w", model.ErrInvalid)
	}
	if passphrase != "" {
		r, err := age.NewScryptRecipient(passphrase)
		if err != nil {
			return s, fmt.Errorf("seal a backup: %w: %w", err, model.ErrInvalid)
		}
		s.recipients = append(s.recipients, r)
	}
	for _, text := range recipients {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return s, fmt.Errorf("seal a backup: %q is no public key of age: %w", text, model.ErrInvalid)
		}
		s.recipients = append(s.recipients, r)
	}
	return s, nil
}

// Seals reports whether it encrypts at all.
func (s Seal) Seals() bool { return len(s.recipients) > 0 }

// Opens reports whether there is anything to open sealed keys with.
func (o Opener) Opens() bool { return len(o.identities) > 0 }

// Opener opens what a Seal has closed.
type Opener struct{ identities []age.Identity }

// NewOpener opens with a passphrase, with the text of a file of age's secret
// keys, or with neither where the archive is not sealed.
func NewOpener(passphrase, identities string) (o Opener, err error) {
	if passphrase != "" {
		i, err := age.NewScryptIdentity(passphrase)
		if err != nil {
			return o, fmt.Errorf("open a backup: %w: %w", err, model.ErrInvalid)
		}
		o.identities = append(o.identities, i)
	}
	if identities != "" {
		list, err := age.ParseIdentities(strings.NewReader(identities))
		if err != nil {
			return o, fmt.Errorf("open a backup: %w: %w", err, model.ErrInvalid)
		}
		o.identities = append(o.identities, list...)
	}
	return o, nil
}

// PrivateFile is a file of a controller's directory that is none of anybody
// else's business.
type PrivateFile struct {
	Name     string // below the directory
	Optional bool
}

// The private files that the others are checked against.
const (
	CAKey      = "pki/ca.key"
	SecretsKey = "pki/secrets.key"
)

// PrivateFiles are what the part with the keys holds, in its order. The last
// is the identity of the first operator.
var PrivateFiles = []PrivateFile{{CAKey, false}, {SecretsKey, false}, {"admin.json", true}}

// maxKeys bounds the private part, which is held in memory.
const maxKeys = 1 << 20

// Pack makes the private part of files by name.
func (s Seal) Pack(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, k := range PrivateFiles {
		content, ok := files[k.Name]
		if !ok {
			continue
		}
		head := &tar.Header{Typeflag: tar.TypeReg, Name: k.Name, Size: int64(len(content)), Mode: 0o600, Format: tar.FormatUSTAR}
		if err := t.WriteHeader(head); err != nil {
			return nil, fmt.Errorf("pack the keys: %w", err)
		}
		if _, err := t.Write(content); err != nil {
			return nil, fmt.Errorf("pack the keys: %w", err)
		}
	}
	if err := t.Close(); err != nil {
		return nil, fmt.Errorf("pack the keys: %w", err)
	}
	if !s.Seals() {
		return b.Bytes(), nil
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, s.recipients...)
	if err != nil {
		return nil, fmt.Errorf("seal the keys: %w", err)
	}
	_, err = w.Write(b.Bytes())
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("seal the keys: %w", err)
	}
	return sealed.Bytes(), nil
}

// Unpack returns the files of a private part.
func (o Opener) Unpack(part io.Reader, sealed bool) (map[string][]byte, error) {
	if sealed {
		if !o.Opens() {
			return nil, fmt.Errorf("the keys in the archive are sealed: give --passphrase-file or --identity-file: %w", model.ErrInvalid)
		}
		open, err := age.Decrypt(part, o.identities...)
		if err != nil {
			return nil, fmt.Errorf("the keys in the archive do not open with this passphrase or identity: %w: %w", err, model.ErrInvalid)
		}
		part = open
	}
	files, t := map[string][]byte{}, tar.NewReader(io.LimitReader(part, maxKeys))
	for {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, Damaged(Keys, "%v", err)
		}
		if files[head.Name], err = io.ReadAll(t); err != nil {
			return nil, Damaged(Keys, "%v", err)
		}
	}
	for _, k := range PrivateFiles {
		if files[k.Name] == nil && !k.Optional {
			return nil, Damaged(Keys, "%s is not in it", k.Name)
		}
	}
	return files, nil
}
