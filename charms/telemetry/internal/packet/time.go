package packet

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

const (
	// timeSize is the length of a stamp: a P-field of one octet, four of
	// seconds, three of their fraction.
	timeSize = 8

	// timePreamble is the P-field of that layout: no second octet, time code
	// 001 (epoch 1958-01-01 TAI), 4-1 octets of seconds, 3 of the fraction
	// (CCSDS 301.0-B, 3.2.2).
	timePreamble = 0b0_001_11_11

	fineBits = 24

	// unixOf1958 is the Unix time of the CCSDS epoch.
	unixOf1958 = -378_691_200

	// leap is TAI - UTC, unchanged since 2017-01-01 (IERS Bulletin C).
	leap = 37
)

// Time is a CCSDS unsegmented time: TAI seconds since 1958-01-01 and a binary
// fraction of 24 bits.
type Time struct {
	Coarse uint32
	Fine   uint32 // of 2^24
}

// TimeOf returns the stamp of t, rounded down to 2^-24 s. It is exact from
// 2017-01-01, the last leap second, to the year 2094, when the field is full.
func TimeOf(t time.Time) (Time, error) {
	seconds := t.Unix() - unixOf1958 + leap
	if seconds < 0 || seconds > 1<<32-1 {
		return Time{}, fmt.Errorf("time %v: a CUC stamp spans 1958 to 2094: %w", t, model.ErrInvalid)
	}
	return Time{Coarse: uint32(seconds), Fine: uint32(int64(t.Nanosecond()) << fineBits / 1e9)}, nil
}

// UTC returns the first nanosecond that t is the stamp of.
func (t Time) UTC() time.Time {
	nanoseconds := (int64(t.Fine)*1e9 + 1<<fineBits - 1) >> fineBits
	return time.Unix(int64(t.Coarse)+unixOf1958-leap, nanoseconds).UTC()
}

func appendTime(b []byte, t Time) []byte {
	b = append(b, timePreamble)
	b = binary.BigEndian.AppendUint32(b, t.Coarse)
	return append(b, byte(t.Fine>>16), byte(t.Fine>>8), byte(t.Fine))
}

// decodeTime reads the stamp of b, which must hold it.
func decodeTime(b []byte) (Time, error) {
	if b[0] != timePreamble {
		return Time{}, fmt.Errorf("time code %#02x: only %#02x (CUC, 1958 TAI, 4+3 octets) is known: %w", b[0], timePreamble, model.ErrInvalid)
	}
	return Time{
		Coarse: binary.BigEndian.Uint32(b[1:]),
		Fine:   uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7]),
	}, nil
}
