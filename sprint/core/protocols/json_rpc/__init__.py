"""A node's JSON-RPC without I/O: requests out, answers in, announcements out.

`calls` writes a batch and is the one parser of its answer, `results` reads what a call gives, `refusals` says
a refusal in words. `jobs` are what is asked in which order, each a generator that yields calls and is sent
their answers. `session` runs them on three lanes, one connection each, and holds score, limits and timers.
The edge owns sockets and HTTP: it posts what `data_to_send` gives and hands back what came.

What is called: getblockchaininfo, getnetworkinfo, getblockhash, getblockheader, getblock, getblockcount,
and to hear of a new tip waitforblockheight, or getbestblockhash where a node has no such thing. Nothing in an
answer is believed but raw bytes, and those are held against the hash that was asked for.
"""
