package effect

import "time"

// Span is something that an agent did as a part of what an operator asked for.
type Span struct {
	Parent     string            `json:"parent"` // as Downward.Trace had it
	ID         string            `json:"id"`     // 16 hexadecimal digits
	Name       string            `json:"name"`
	Start      time.Time         `json:"start"`
	End        time.Time         `json:"end"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Error      string            `json:"error,omitempty"`
}
