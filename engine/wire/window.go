package wire

// Window is how much of a stream, and of a connection, may be on its way
// unread. Where it is fixed gRPC does not measure which one would be best, by a
// ping for nearly every message of a session: of thousands of agents those are
// most of the traffic. 1 MiB is 10 MB/s to a site that is 100 ms away.
const Window = 1 << 20
