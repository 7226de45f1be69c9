package linear

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// History is what clients did to registers, each of which holds a string that
// is empty at first. It is safe for concurrent use.
type History struct {
	mu         sync.Mutex
	now        int64 // order of events: all of them are told to one History
	operations []porcupine.Operation
}

// Call is an operation that has begun. Exactly one of its methods ends it.
type Call struct {
	history *History
	client  int
	began   int64
	input   input
}

// input is what a client asked.
type input struct {
	register string
	write    bool
	value    string
}

func (h *History) tick() int64 {
	h.now++
	return h.now
}

func (h *History) begin(client int, in input) *Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &Call{history: h, client: client, began: h.tick(), input: in}
}

// Write begins a write of a value, which should be written once only.
func (h *History) Write(client int, register, value string) *Call {
	return h.begin(client, input{register: register, write: true, value: value})
}

// Read begins a read.
func (h *History) Read(client int, register string) *Call {
	return h.begin(client, input{register: register})
}

// Done ends a call that succeeded: a read with what it read, a write with
// anything.
func (c *Call) Done(value string) {
	h := c.history
	h.mu.Lock()
	defer h.mu.Unlock()
	c.keep(value, h.tick())
}

// Unknown ends a call of which the client does not know what came of it. A
// write may then take effect at any time from its beginning, or never.
func (c *Call) Unknown() {
	h := c.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.input.write {
		c.keep("", math.MaxInt64)
	}
}

// Refused ends a call that had no effect and never will.
func (c *Call) Refused() {}

func (c *Call) keep(value string, ended int64) {
	c.history.operations = append(c.history.operations, porcupine.Operation{
		ClientId: c.client, Input: c.input, Call: c.began, Output: value, Return: ended,
	})
}

// Len is how many calls count.
func (h *History) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.operations)
}

// ErrNotLinearizable is of a history that no order explains in which each call
// took effect at once, between its beginning and its end.
var ErrNotLinearizable = errors.New("not linearizable")

// Check looks for such an order of each register's calls, for as long as limit
// altogether.
func (h *History) Check(limit time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	byRegister := map[string][]porcupine.Operation{}
	for _, o := range h.operations {
		name := o.Input.(input).register
		byRegister[name] = append(byRegister[name], o)
	}
	for name, operations := range byRegister {
		switch porcupine.CheckOperationsTimeout(register, operations, limit/time.Duration(len(byRegister))) {
		case porcupine.Illegal:
			return fmt.Errorf("%d calls on %s: %w", len(operations), name, ErrNotLinearizable)
		case porcupine.Unknown:
			return fmt.Errorf("%d calls on %s: no verdict within %v: give it longer or fewer calls", len(operations), name, limit)
		}
	}
	return nil
}

// register is the model that calls are held against.
var register = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, in, out any) (bool, any) {
		switch call := in.(input); {
		case call.write:
			return true, call.value
		default:
			return state == out, state
		}
	},
}
