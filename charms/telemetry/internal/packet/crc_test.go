package packet

import "testing"

func TestCRCAgreesWithPublishedVectors(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		want uint16
	}{
		"nothing leaves the preset":             {nil, 0xFFFF},
		"the check value of the CRC catalogues": {[]byte("123456789"), 0x29B1},
		"ECSS-E-ST-70-41C, annex B, first":      {[]byte{0x00, 0x00}, 0x1D0F},
		"ECSS-E-ST-70-41C, annex B, second":     {[]byte{0x00, 0x00, 0x00}, 0xCC9C},
		"ECSS-E-ST-70-41C, annex B, third":      {[]byte{0xAB, 0xCD, 0xEF, 0x01}, 0x04A2},
		"ECSS-E-ST-70-41C, annex B, fourth":     {[]byte{0x14, 0x56, 0xF8, 0x9A, 0x00, 0x01}, 0x7FD5},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CRC(test.data); got != test.want {
				t.Errorf("%#04x, want %#04x", got, test.want)
			}
			if rest := CRC(withCRC(test.data)); rest != 0 {
				t.Errorf("over data and CRC %#04x, want 0", rest)
			}
		})
	}
}
