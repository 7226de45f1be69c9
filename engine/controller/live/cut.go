package live

import "github.com/gantry-orchestrator/gantry/engine/state"

// Cut notes that the session of a machine's agent ended: the machine may have
// been killed, and its units do not count as settled until it is heard again.
func (l *Live) Cut(m state.MachineRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observed.Ended[m] = l.now()
	l.wake()
}
