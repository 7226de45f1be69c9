package consensus

import (
	"encoding/binary"
	"fmt"

	"github.com/gantry-orchestrator/gantry/engine/state"
)

// An entry is lists of commands one after the other, each behind its length as
// a uvarint: what several proposers encoded joins by concatenation.

func encodeEntry(commands []state.Command) ([]byte, error) {
	b, err := state.EncodeCommands(commands)
	if err != nil {
		return nil, err
	}
	return append(binary.AppendUvarint(nil, uint64(len(b))), b...), nil
}

func decodeEntry(entry []byte) (commands []state.Command, err error) {
	for len(entry) > 0 {
		size, n := binary.Uvarint(entry)
		if n <= 0 || size > uint64(len(entry)-n) {
			return nil, fmt.Errorf("cut short %d bytes before its end", len(entry))
		}
		list, err := state.DecodeCommands(entry[n : n+int(size)])
		if err != nil {
			return nil, err
		}
		commands = append(commands, list...)
		entry = entry[n+int(size):]
	}
	return commands, nil
}
