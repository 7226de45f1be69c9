package wire

// What a controller says beside an answer, as gRPC metadata.
const (
	// HeaderControllers lists host:port of all controllers, comma-separated.
	HeaderControllers = "gantry-controllers"
	// HeaderStale says that an answer is of the past, and why.
	HeaderStale = "gantry-stale"
	// HeaderLeader is host:port of who leads, with a refusal of one that does
	// not; empty where nobody is known to. What was refused so was not done.
	HeaderLeader = "gantry-leader"
	// HeaderEpoch is the life of the control plane: what a controller is of
	// beside an answer, and the highest that the caller has heard of beside a
	// request. See model.Epoch.
	HeaderEpoch = "gantry-epoch"
	// HeaderRequest names a request in the logs of both sides.
	HeaderRequest = "gantry-request"
	// HeaderTrace is what a request is a part of, as W3C Trace Context has it.
	HeaderTrace = "traceparent"
)
