package packet

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gantry-orchestrator/gantry/model"
)

const (
	reportSize    = 4  // spacecraft and number of parameters
	parameterSize = 10 // identifier and value
)

// Parameter is one sampled value.
type Parameter struct {
	ID    uint16
	Value float64
}

// Report is the user data of a housekeeping packet: who measured what.
type Report struct {
	Spacecraft uint16
	Parameters []Parameter
}

// AppendReport appends r to b: the spacecraft and the number of parameters in
// two octets each, then for every parameter its identifier in two and its
// value as an IEEE 754 double, all big-endian. There may be 65,535 at most;
// what fits a packet is less.
func AppendReport(b []byte, r Report) []byte {
	b = binary.BigEndian.AppendUint16(b, r.Spacecraft)
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Parameters)))
	for _, p := range r.Parameters {
		b = binary.BigEndian.AppendUint16(b, p.ID)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(p.Value))
	}
	return b
}

// DecodeReport reads the report that data holds and nothing else.
func DecodeReport(data []byte) (Report, error) {
	if len(data) < reportSize {
		return Report{}, fmt.Errorf("decode report of %d octets: at least %d are needed: %w", len(data), reportSize, model.ErrInvalid)
	}
	r := Report{Spacecraft: binary.BigEndian.Uint16(data)}
	n := int(binary.BigEndian.Uint16(data[2:]))
	data = data[reportSize:]
	if len(data) != n*parameterSize {
		return Report{}, fmt.Errorf("decode report of %d parameters: %d octets follow instead of %d: %w", n, len(data), n*parameterSize, model.ErrInvalid)
	}
	for ; len(data) > 0; data = data[parameterSize:] {
		r.Parameters = append(r.Parameters, Parameter{
			ID:    binary.BigEndian.Uint16(data),
			Value: math.Float64frombits(binary.BigEndian.Uint64(data[2:])),
		})
	}
	return r, nil
}
