"""Bitcoin's peer-to-peer protocol without I/O: bytes in, events and bytes out.

`framing` cuts a stream into frames, `messages` is the one parser of each payload. `link` is what both ends
share: handshake, keep-alive, score, timers. `session` is the end that asks (the relay to a node),
`listener` the end that serves (a devnet's node). The edge owns the socket and the clock: it feeds what it
reads, writes what `data_to_send` gives until that is empty, calls `handle_timer` when `next_timer` is due,
and closes the socket once `closed` gives a reason.
"""
