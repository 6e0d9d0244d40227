"""Nodes that need nothing: regtest chains that mine valid blocks and serve them over the real protocol.

`ledger` and `node` are pure (time and randomness are arguments), so that a simulator without sockets can
run them; `edge` gives them sockets and a clock. `python -m sprint.tools.devnet` is one of them as a
process of its own, driven by lines on its standard input.
"""
