package packet

// crcSize is the length of the packet error control in octets.
const crcSize = 2

// crcTable holds the remainder of every octet under x^16 + x^12 + x^5 + 1.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		r := uint16(i) << 8
		for range 8 {
			carry := r&0x8000 != 0
			r <<= 1
			if carry {
				r ^= 0x1021
			}
		}
		table[i] = r
	}
	return table
}()

// CRC returns the CRC-16-CCITT of data: generator 0x1021, preset to all ones,
// nothing reflected or inverted (CCSDS 132.0-B, annex on the FECF;
// ECSS-E-ST-70-41C, annex B). Over data followed by its own CRC it is zero.
func CRC(data []byte) uint16 {
	r := uint16(0xFFFF)
	for _, b := range data {
		r = r<<8 ^ crcTable[byte(r>>8)^b]
	}
	return r
}
