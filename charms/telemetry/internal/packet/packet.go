package packet

import (
	"encoding/binary"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
)

// Packet is one space packet. Where Stamped, its secondary header is Time.
type Packet struct {
	Header  Header
	Stamped bool
	Time    Time
	Data    []byte
}

// Encode returns the octets of p, error control included.
func Encode(p Packet) ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("encode packet: %w", err)
	}
	b := make([]byte, 0, headerSize+p.dataLen())
	b = appendHeader(b, p.Header, p.Stamped, p.dataLen())
	if p.Stamped {
		b = appendTime(b, p.Time)
	}
	b = append(b, p.Data...)
	return binary.BigEndian.AppendUint16(b, CRC(b)), nil
}

// Decode reads the one packet that b holds. The packet's data is b's own.
func Decode(b []byte) (Packet, error) {
	p, err := decode(b)
	if err != nil {
		return Packet{}, fmt.Errorf("decode packet of %d octets: %w", len(b), err)
	}
	return p, nil
}

func decode(b []byte) (Packet, error) {
	if len(b) < headerSize+crcSize {
		return Packet{}, fmt.Errorf("at least %d octets are needed: %w", headerSize+crcSize, model.ErrInvalid)
	}
	h, stamped, dataLen, err := decodeHeader(b)
	if err != nil {
		return Packet{}, err
	}
	if len(b) != headerSize+dataLen {
		return Packet{}, fmt.Errorf("its header says %d: %w", headerSize+dataLen, model.ErrInvalid)
	}
	if CRC(b) != 0 {
		return Packet{}, fmt.Errorf("its error control does not match: %w", model.ErrInvalid)
	}
	p := Packet{Header: h, Stamped: stamped, Data: b[headerSize : len(b)-crcSize]}
	if !stamped {
		return p, p.validate()
	}
	if len(p.Data) < timeSize {
		return Packet{}, fmt.Errorf("its secondary header is cut short: %w", model.ErrInvalid)
	}
	if p.Time, err = decodeTime(p.Data); err != nil {
		return Packet{}, err
	}
	p.Data = p.Data[timeSize:]
	return p, p.validate()
}

func (p Packet) dataLen() int {
	n := len(p.Data) + crcSize
	if p.Stamped {
		n += timeSize
	}
	return n
}

func (p Packet) validate() error {
	if err := p.Header.Validate(); err != nil {
		return err
	}
	switch {
	case p.Header.APID == Idle && p.Stamped:
		return fmt.Errorf("an idle packet has no secondary header: %w", model.ErrInvalid)
	case p.Time.Fine >= 1<<fineBits:
		return fmt.Errorf("fine time %d: use less than 2^%d: %w", p.Time.Fine, fineBits, model.ErrInvalid)
	case p.dataLen() > maxData:
		return fmt.Errorf("data field of %d octets: at most %d: %w", p.dataLen(), maxData, model.ErrInvalid)
	}
	return nil
}
