package packet

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/gantry-orchestrator/gantry/model"
)

// octets reads hexadecimal text with spaces between the fields.
func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withCRC seals a hand-written packet, for faults that lie elsewhere.
func withCRC(b []byte) []byte {
	c := CRC(b)
	return append(b, byte(c>>8), byte(c))
}

func TestPacketsLieOnTheWireAsTheStandardLaysThemOut(t *testing.T) {
	for name, test := range map[string]struct {
		packet Packet
		want   string // without error control
	}{
		"the least telemetry packet has only its error control as data": {
			packet: Packet{Header: Header{Flags: Unsegmented}},
			want:   "0000 c000 0001",
		},
		"the type is bit 3, the APID the last 11 bits of the first word": {
			packet: Packet{Header: Header{Type: Telecommand, APID: 0x2A5, Flags: Unsegmented}},
			want:   "12a5 c000 0001",
		},
		"the flags are the first two bits of the second word, the count the other 14": {
			packet: Packet{Header: Header{APID: 1, Flags: First, Count: 0x3FFF}},
			want:   "0001 7fff 0001",
		},
		"the length is that of the data field less one": {
			packet: Packet{Header: Header{APID: 1, Flags: Last, Count: 2}, Data: []byte{0xAA, 0xBB, 0xCC}},
			want:   "0001 8002 0004 aabbcc",
		},
		"a stamp sets the secondary header flag and comes first": {
			packet: Packet{
				Header: Header{APID: 0x123, Flags: Unsegmented, Count: 7}, Stamped: true,
				Time: Time{Coarse: 0x01020304, Fine: 0x0A0B0C}, Data: []byte{0xEE},
			},
			want: "0923 c007 000a 1f 01020304 0a0b0c ee",
		},
		"an idle packet has the APID of all ones": {
			packet: Packet{Header: Header{APID: Idle, Flags: Unsegmented}, Data: []byte{0x55}},
			want:   "07ff c000 0002 55",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Encode(test.packet)
			if err != nil {
				t.Fatal(err)
			}
			if want := withCRC(octets(t, test.want)); !bytes.Equal(got, want) {
				t.Fatalf("encoded as % x, want % x", got, want)
			}
			back, err := Decode(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.packet, back, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("decoded differently (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEncodeRefusesWhatDoesNotFit(t *testing.T) {
	for name, p := range map[string]Packet{
		"an APID of 12 bits":                {Header: Header{APID: 0x800}},
		"a count of 15 bits":                {Header: Header{Count: CountModulus}},
		"flags of 3 bits":                   {Header: Header{Flags: 4}},
		"a type of 2 bits":                  {Header: Header{Type: 2}},
		"a stamp on an idle packet":         {Header: Header{APID: Idle}, Stamped: true},
		"a fraction of 25 bits":             {Stamped: true, Time: Time{Fine: 1 << 24}},
		"one octet more than a data field":  {Data: make([]byte, maxData-crcSize+1)},
		"a stamp that takes the last octet": {Stamped: true, Data: make([]byte, maxData-crcSize-timeSize+1)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Encode(p); !errors.Is(err, model.ErrInvalid) {
				t.Errorf("error %v, want an invalid packet", err)
			}
		})
	}
	if _, err := Encode(Packet{Data: make([]byte, maxData-crcSize)}); err != nil {
		t.Errorf("the longest packet is refused: %v", err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":                      nil,
		"a header alone":               octets(t, "0001 c000 0001"),
		"a later packet version":       withCRC(octets(t, "2001 c000 0001")),
		"one octet too few":            withCRC(octets(t, "0001 c000 0003 aa")),
		"one octet too many":           withCRC(octets(t, "0001 c000 0001 aa")),
		"a stamp cut short":            withCRC(octets(t, "0801 c000 0004 1f0102")),
		"a stamp of another time code": withCRC(octets(t, "0801 c000 0009 2f01020304 0a0b0c")),
		"a stamped idle packet":        withCRC(octets(t, "0fff c000 0009 1f01020304 0a0b0c")),
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := Decode(b); !errors.Is(err, model.ErrInvalid) {
				t.Errorf("decoded %+v with error %v, want it refused as invalid", p, err)
			}
		})
	}
}

func packets() *rapid.Generator[Packet] {
	return rapid.Custom(func(t *rapid.T) Packet {
		p := Packet{
			Header: Header{
				Type:  Type(rapid.IntRange(0, 1).Draw(t, "type")),
				APID:  APID(rapid.IntRange(0, int(Idle)).Draw(t, "apid")),
				Flags: SequenceFlags(rapid.IntRange(0, 3).Draw(t, "flags")),
				Count: uint16(rapid.IntRange(0, CountModulus-1).Draw(t, "count")),
			},
			Data: rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "data"),
		}
		if p.Header.APID != Idle && rapid.Bool().Draw(t, "stamped") {
			p.Stamped = true
			p.Time = Time{Coarse: rapid.Uint32().Draw(t, "coarse"), Fine: rapid.Uint32Range(0, 1<<fineBits-1).Draw(t, "fine")}
		}
		return p
	})
}

func TestDecodeUndoesEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := packets().Draw(t, "packet")
		b, err := Encode(p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, back, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAnErrorBurstOfUpToSixteenBitsIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := Encode(packets().Draw(t, "packet"))
		if err != nil {
			t.Fatal(err)
		}
		burst := uint32(rapid.Uint16Min(1).Draw(t, "burst")) << rapid.IntRange(0, 7).Draw(t, "shift")
		at := rapid.IntRange(0, len(b)-3).Draw(t, "at")
		b[at] ^= byte(burst >> 16)
		b[at+1] ^= byte(burst >> 8)
		b[at+2] ^= byte(burst)
		if p, err := Decode(b); err == nil {
			t.Fatalf("a damaged packet decodes as %+v", p)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(withCRC(octets(f, "0923 c007 000a 1f 01020304 0a0b0c ee")))
	f.Add(withCRC(octets(f, "07ff c000 0002 55")))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Decode(b)
		if err != nil {
			return
		}
		back, err := Encode(p)
		if err != nil {
			t.Fatalf("what decodes does not encode: %v", err)
		}
		if !bytes.Equal(b, back) {
			t.Errorf("% x decodes and encodes to % x", b, back)
		}
	})
}
