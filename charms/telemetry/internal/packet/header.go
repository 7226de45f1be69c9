package packet

import (
	"encoding/binary"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
)

const (
	headerSize = 6
	maxData    = 1 << 16 // octets in a packet data field

	// CountModulus is where a sequence count starts again at zero.
	CountModulus = 1 << 14
)

// Type tells telemetry from telecommand packets.
type Type uint8

// The packet types of CCSDS 133.0-B, 4.1.3.3.2.
const (
	Telemetry   Type = 0
	Telecommand Type = 1
)

// APID is an application process identifier of 11 bits.
type APID uint16

// Idle is the APID of idle packets, which carry no secondary header.
const Idle APID = 0x7FF

// SequenceFlags tell how a packet's data belongs to a larger unit.
type SequenceFlags uint8

// The sequence flags of CCSDS 133.0-B, 4.1.3.4.2.
const (
	Continuation SequenceFlags = 0
	First        SequenceFlags = 1
	Last         SequenceFlags = 2
	Unsegmented  SequenceFlags = 3
)

// Header is the primary header of a packet. The version number is always 0
// and the data length is that of the packet it is encoded with.
type Header struct {
	Type  Type
	APID  APID
	Flags SequenceFlags
	Count uint16 // modulo CountModulus
}

// Validate refuses a header whose values do not fit their fields.
func (h Header) Validate() error {
	switch {
	case h.Type > Telecommand:
		return fmt.Errorf("packet type %d: use 0 (telemetry) or 1 (telecommand): %w", h.Type, model.ErrInvalid)
	case h.APID > Idle:
		return fmt.Errorf("APID %d: use 0 to %d: %w", h.APID, Idle, model.ErrInvalid)
	case h.Flags > Unsegmented:
		return fmt.Errorf("sequence flags %d: use 0 to %d: %w", h.Flags, Unsegmented, model.ErrInvalid)
	case h.Count >= CountModulus:
		return fmt.Errorf("sequence count %d: use 0 to %d: %w", h.Count, CountModulus-1, model.ErrInvalid)
	}
	return nil
}

// appendHeader appends the six octets of h for a data field of dataLen octets.
func appendHeader(b []byte, h Header, stamped bool, dataLen int) []byte {
	id := uint16(h.Type)<<12 | uint16(h.APID)
	if stamped {
		id |= 1 << 11
	}
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, uint16(h.Flags)<<14|h.Count)
	return binary.BigEndian.AppendUint16(b, uint16(dataLen-1))
}

// decodeHeader reads the primary header of b, which must hold it.
func decodeHeader(b []byte) (h Header, stamped bool, dataLen int, err error) {
	id, sequence := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if version := id >> 13; version != 0 {
		return Header{}, false, 0, fmt.Errorf("packet version %d: only version 1 (number 0) is known: %w", version, model.ErrInvalid)
	}
	h = Header{
		Type:  Type(id >> 12 & 1),
		APID:  APID(id & 0x7FF),
		Flags: SequenceFlags(sequence >> 14),
		Count: sequence & (CountModulus - 1),
	}
	return h, id>>11&1 == 1, int(binary.BigEndian.Uint16(b[4:])) + 1, nil
}
