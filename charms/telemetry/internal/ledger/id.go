package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/gantry-orchestrator/gantry/model"
)

// ID names one packet in the ledger and in the archive. It is written as a
// UUID, and made by the sender, so that a packet sent again is the same one.
type ID [16]byte

// NewID returns the name of the packet with the given serial number in a run
// of the program; the run is a random number of its own.
func NewID(run, serial uint64) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], run)
	binary.BigEndian.PutUint64(id[8:], serial)
	return id
}

// ParseID reads an ID in the form of String.
func ParseID(text string) (ID, error) {
	var id ID
	digits := strings.ReplaceAll(text, "-", "")
	if len(digits) == 2*len(id) {
		if _, err := hex.Decode(id[:], []byte(digits)); err == nil && id.String() == text {
			return id, nil
		}
	}
	return ID{}, fmt.Errorf("packet id %q: want a UUID in lower case: %w", text, model.ErrInvalid)
}

// String returns the ID as 8-4-4-4-12 hexadecimal digits.
func (id ID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

// Compare orders IDs by run, then serial number.
func (id ID) Compare(other ID) int {
	return strings.Compare(string(id[:]), string(other[:]))
}

// Digest identifies a packet's octets: the first half of their SHA-256.
type Digest [16]byte

// DigestOf returns the digest of an encoded packet.
func DigestOf(packet []byte) Digest {
	sum := sha256.Sum256(packet)
	return Digest(sum[:len(Digest{})])
}

// ParseDigest reads a digest in the form of String.
func ParseDigest(text string) (Digest, error) {
	var d Digest
	if len(text) == 2*len(d) {
		if _, err := hex.Decode(d[:], []byte(text)); err == nil {
			return d, nil
		}
	}
	return Digest{}, fmt.Errorf("digest %q: want %d hexadecimal digits: %w", text, 2*len(d), model.ErrInvalid)
}

// String returns the digest as hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }
